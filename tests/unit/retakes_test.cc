#include "detector/retakes.h"

#include <gtest/gtest.h>

#include "detector/findings.h"
#include "scene.h"

namespace impasse {
namespace {

using test::Scene;

constexpr std::uint64_t kCurtain = 1;
constexpr std::uint64_t kStage = 2;
constexpr std::uint64_t kCue = 3;

std::uint64_t looks = 0;

Sleep counted_sleep(std::uint32_t tid, WaitKind kind, std::uint64_t object) {
  ++looks;
  return Scene::sleep(tid, kind, object);
}

// The actor has the curtain and awaits the cue; the prompter has the stage, which the actor gave
// back.
class RetakesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    looks = 0;
    actor_ = scene_.thread();
    prompter_ = scene_.thread();
    scene_.holds(actor_, kCurtain);
    awaits_cue(actor_);
    scene_.holds(prompter_, kStage);
  }

  void awaits_cue(std::uint32_t thread) {
    const LockState stage = scene_.locks[kStage];
    scene_.holds(thread, kStage).phase = hold_phase::kGivenBack;
    scene_.locks[kStage] = stage;
    scene_.waits(thread, WaitKind::kCondition, kCue, 40).partner = kStage;
  }
  std::vector<Verdict> judged(std::uint64_t wait_ns = 10'000'000'000) {
    Snapshot snapshot = scene_.snapshot;
    retakes_.look(snapshot, counted_sleep);
    return judge(snapshot, WaitGraph(snapshot, Scene::probe, Scene::sleep), {wait_ns});
  }

  Scene scene_;
  Retakes retakes_;
  std::uint32_t actor_ = 0;
  std::uint32_t prompter_ = 0;
};

TEST_F(RetakesTest, WhoCannotLeaveItsWaitIsInACircle) {
  scene_.wants(prompter_, kCurtain);
  scene_.sleeps_at(actor_, kStage);
  const auto verdicts = judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kDeadlock);
  EXPECT_EQ(verdicts[0].cycle.size(), 2U);
}

TEST_F(RetakesTest, WhoWaitsForTheSignalIsInNone) {
  scene_.wants(prompter_, kCurtain);
  for (const Sleep how : {Sleep::kElsewhere, Sleep::kUnknown}) {
    scene_.sleeps_at(actor_, kStage, how);
    EXPECT_TRUE(judged().empty());
  }
  EXPECT_EQ(looks, 2U);
}

TEST_F(RetakesTest, ATimeLimitIsOneOfTheSignal) {
  scene_.snapshot.threads[actor_].wait->timed = true;
  scene_.wants(prompter_, kCurtain);
  scene_.sleeps_at(actor_, kStage);
  EXPECT_EQ(judged().size(), 1U);
}

TEST_F(RetakesTest, NobodyIsAskedAboutWhileTheOwnerWorks) {
  for (int i = 0; i < 100; ++i) awaits_cue(scene_.thread());
  EXPECT_TRUE(judged().empty());
  EXPECT_EQ(looks, 0U);
}

TEST_F(RetakesTest, NobodyIsAskedAboutWhileTheMutexIsFree) {
  scene_.snapshot.threads[prompter_].holds.clear();
  scene_.wants(prompter_, kCurtain);
  EXPECT_TRUE(judged().empty());
  EXPECT_EQ(looks, 0U);
}

TEST_F(RetakesTest, OneSightLastsAsLongAsTheWait) {
  scene_.wants(prompter_, kCurtain);
  scene_.sleeps_at(actor_, kStage);
  EXPECT_EQ(judged().size(), 1U);
  scene_.sleeps_at(actor_, kStage, Sleep::kElsewhere);
  EXPECT_EQ(judged().size(), 1U);
  EXPECT_EQ(looks, 1U);
  scene_.snapshot.threads[actor_].wait->sequence += 2;
  EXPECT_TRUE(judged().empty());
  EXPECT_EQ(looks, 2U);
}

TEST_F(RetakesTest, TwoLooksAtOneWaitMakeAFinding) {
  scene_.wants(prompter_, kCurtain);
  scene_.sleeps_at(actor_, kStage);
  Findings findings({10'000'000'000});
  Snapshot snapshot;
  const auto look = [&] {
    snapshot = scene_.snapshot;
    retakes_.look(snapshot, Scene::sleep);
    return findings.look(snapshot, Scene::probe, Scene::sleep).size();
  };
  EXPECT_EQ(look(), 0U);
  scene_.snapshot.threads[actor_].wait->sequence += 2;  // it woke up, and waits once more
  EXPECT_EQ(look(), 0U);
  EXPECT_EQ(look(), 1U);
  EXPECT_EQ(look(), 0U);
}

TEST_F(RetakesTest, ItIsALongWaitSinceItWasSeen) {
  const auto busy = scene_.thread();
  scene_.holds(busy, 9);
  scene_.wants(prompter_, 9, 0);
  scene_.sleeps_at(actor_, kStage);
  for (int seconds = 0; seconds < 5; ++seconds) {
    const auto verdicts = judged(3'500'000'000);
    ASSERT_EQ(verdicts.size(), seconds < 4 ? 0U : 1U);
    scene_.snapshot.tick += 100;
    if (verdicts.empty()) continue;
    EXPECT_EQ(verdicts[0].root, busy);
    EXPECT_EQ(verdicts[0].longest_ns, 4'000'000'000U);
    EXPECT_EQ(verdicts[0].crowd.size(), 2U);
  }
}

// Others wait for what it has.
TEST_F(RetakesTest, TheChainOfALongWaitLeadsThroughIt) {
  scene_.wants(scene_.thread(), kCurtain, 2'000);
  scene_.sleeps_at(actor_, kStage);
  const auto verdicts = judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].root, prompter_);
  EXPECT_EQ(verdicts[0].root_lock, kStage);
}

TEST_F(RetakesTest, InASignalHandlerItIsNotAtItsWait) {
  scene_.wants(prompter_, kCurtain);
  scene_.sleeps_at(actor_, kStage);
  scene_.wants_to_read(actor_, 8, 0);
  EXPECT_TRUE(judged().empty());
  EXPECT_EQ(looks, 0U);
}

// Of a large pool some are asked about in each look: those first that may be part of a circle.
TEST_F(RetakesTest, LooksAreBounded) {
  constexpr std::uint32_t kPool = 1'000;
  scene_.snapshot.threads[actor_].wait.reset();
  scene_.snapshot.threads[actor_].holds.clear();
  const auto first = static_cast<std::uint32_t>(scene_.snapshot.threads.size());
  for (std::uint32_t i = 0; i < kPool; ++i) awaits_cue(scene_.thread());
  const auto last = scene_.thread();
  scene_.holds(last, kCurtain);
  awaits_cue(last);
  scene_.wants(prompter_, kCurtain);
  scene_.sleeps_at(last, kStage);
  EXPECT_EQ(judged().size(), 1U);
  EXPECT_EQ(looks, Retakes::kMostLookedAt);
  const std::uint32_t woken = first + kPool / 2;
  scene_.sleeps_at(woken, kStage);
  for (std::uint32_t i = 0; i <= kPool / Retakes::kMostLookedAt; ++i) judged();
  Snapshot snapshot = scene_.snapshot;
  retakes_.look(snapshot, Scene::sleep);
  EXPECT_EQ(snapshot.threads[woken].wait->kind, WaitKind::kMutex);
  EXPECT_EQ(snapshot.threads[woken + 1].wait->kind, WaitKind::kCondition);
}

}  // namespace
}  // namespace impasse
