#include <gtest/gtest.h>

#include "detector/stuck_groups.h"
#include "groups_scene.h"

namespace impasse {
namespace {

using test::GroupsScene;
using test::waiters_of;
using Threads = std::vector<std::uint32_t>;

constexpr std::uint64_t kWork = 0x100, kRoom = 0x200, kDone = 0x300, kMutex = 0x10;

class AllAsleep : public ::testing::Test {
 protected:
  void SetUp() override {
    a_ = scene_.thread();
    b_ = scene_.thread();
    joins_ = scene_.thread();
    scene_.waits_for(a_, kWork, kMutex);
    scene_.waits(b_, WaitKind::kBarrier, kRoom, test::kLasting);
    scene_.joins(joins_, a_, test::kLasting);
  }
  GroupsScene scene_;
  std::uint32_t a_ = 0, b_ = 0, joins_ = 0;
};

TEST_F(AllAsleep, IsCertain) {
  const Verdict verdict = scene_.group();
  EXPECT_EQ(verdict.kind, FindingKind::kAllAsleep);
  EXPECT_TRUE(verdict.certain);
  EXPECT_EQ(waiters_of(verdict), (Threads{a_, b_, joins_}));
  EXPECT_EQ(verdict.root_lock, kWork);
  EXPECT_EQ(verdict.marks.size(), 3U);
}

TEST_F(AllAsleep, AGroupIsPartOfIt) {
  scene_.signals(joins_, kWork);
  EXPECT_EQ(scene_.judged_groups().size(), 1U);
  EXPECT_EQ(scene_.group().kind, FindingKind::kAllAsleep);
}

// A moment later it is all of them, or none.
TEST_F(AllAsleep, TheLastOneHasJustBegunToWait) {
  scene_.signals(joins_, kWork);
  WaitFact& last = *scene_.snapshot.threads[b_].wait;
  last.tick = scene_.snapshot.tick - 2;
  EXPECT_TRUE(scene_.silent());
  last.timed = true;
  EXPECT_EQ(scene_.group().kind, FindingKind::kStuckCondition);
}

TEST_F(AllAsleep, AThreadThatIsInNoLedger) {
  GroupsScene::all_tasks.push_back(4'711);
  EXPECT_TRUE(scene_.silent());
}

TEST_F(AllAsleep, TasksThatCannotBeKnown) {
  GroupsScene::tasks_known = false;
  EXPECT_TRUE(scene_.silent());
}

TEST_F(AllAsleep, OneThatDoesNotWait) {
  scene_.snapshot.threads[b_].wait.reset();
  EXPECT_TRUE(scene_.silent());
}

TEST_F(AllAsleep, OneThatWaitsForATime) {
  scene_.snapshot.threads[b_].wait->timed = true;
  EXPECT_TRUE(scene_.silent());
}

TEST_F(AllAsleep, OneThatIsBeingMade) {
  scene_.snapshot.threads[scene_.thread()].life = ThreadLife::kStarting;
  EXPECT_TRUE(scene_.silent());
}

TEST_F(AllAsleep, OneWhoseObjectIsShared) {
  scene_.locks[kRoom].between_processes = true;
  EXPECT_TRUE(scene_.silent());
}

TEST_F(AllAsleep, AHandlerMayRun) {
  GroupsScene::signals_caught = true;
  const Verdict verdict = scene_.group();
  EXPECT_EQ(verdict.kind, FindingKind::kAllAsleep);
  EXPECT_FALSE(verdict.certain);
}

TEST_F(AllAsleep, AHandlerMayPost) {
  scene_.waits_to_be_posted(b_, kDone);
  EXPECT_EQ(scene_.group().kind, FindingKind::kAllAsleep);
  GroupsScene::signals_caught = true;
  EXPECT_TRUE(scene_.silent());
}

TEST_F(AllAsleep, ATimerIsAboutToCallTheProgram) {
  GroupsScene::signals_caught = true;
  GroupsScene::timer_running = true;
  EXPECT_TRUE(scene_.silent());
  GroupsScene::timer_running = false;
  EXPECT_EQ(scene_.group().kind, FindingKind::kAllAsleep);
}

TEST_F(AllAsleep, ASemaphoreWithTokens) {
  scene_.waits_to_be_posted(b_, kDone);
  scene_.locks[kDone].tokens = 1;
  EXPECT_TRUE(scene_.silent());
}

TEST_F(AllAsleep, ADeadlockExplainsIt) {
  const auto one = scene_.thread(), other = scene_.thread();
  scene_.holds(one, 1);
  scene_.holds(other, 2);
  scene_.wants(one, 2, test::kLasting);
  scene_.wants(other, 1, test::kLasting);
  EXPECT_TRUE(scene_.silent());
  // Whom it keeps from being signalled is a group of its own; nobody is up who could help.
  scene_.signals(one, kWork);
  const Verdict verdict = scene_.group();
  EXPECT_EQ(verdict.kind, FindingKind::kStuckCondition);
  EXPECT_TRUE(verdict.certain);
  EXPECT_EQ(waiters_of(verdict), (Threads{a_, joins_}));
}

TEST(AllAsleepAlone, OneThreadIsEverybody) {
  GroupsScene scene;
  scene.waits(scene.thread(), WaitKind::kCondition, kWork, test::kLasting);
  EXPECT_EQ(scene.group().kind, FindingKind::kAllAsleep);
}

}  // namespace
}  // namespace impasse
