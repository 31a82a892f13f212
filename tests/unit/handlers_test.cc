// What lies on top of a wait, and what was granted but not written down yet.
#include "detector/verdicts.h"

#include <gtest/gtest.h>

#include "scene.h"

namespace impasse {
namespace {

using test::kNowTick;
using test::Scene;
using test::waiters;

TEST(SelfDeadlock, RelockOfANormalMutex) {
  Scene scene;
  const auto a = scene.thread(), behind = scene.thread();
  scene.holds(a, 1);
  scene.wants(a, 1);
  scene.wants(behind, 1);
  const auto verdicts = scene.judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kSelfDeadlock);
  EXPECT_EQ(waiters(verdicts[0].crowd), (std::vector{behind}));
}

TEST(SelfDeadlock, UpgradeFromReadToWrite) {
  Scene scene;
  const auto a = scene.thread(), other = scene.thread();
  scene.reads(a, 1);
  scene.reads(other, 1);
  scene.waits(a, WaitKind::kWrite, 1);
  const auto verdicts = scene.judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kSelfDeadlock);
}

TEST(SelfDeadlock, AHandlerThatWantsWhatTheInterruptedCodeHasJustGot) {
  Scene scene;
  const auto a = scene.thread();
  scene.holds(a, 1).phase = hold_phase::kAcquiring;  // libc has granted it, the ledger not yet
  scene.wants(a, 1);
  const auto verdicts = scene.judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kSelfDeadlock);
}

// It had no processor between libc's answer and writing that down: for as long as the machine
// likes.
TEST(SelfDeadlock, WhoWasGrantedWhatItAskedForWaitsNoMore) {
  for (const bool by_record : {true, false}) {
    Scene scene;
    const auto a = scene.thread(), b = scene.thread();
    if (by_record) {
      scene.wants(a, 1);
      scene.locks[1].owner = scene.tid(a);
    } else {
      scene.holds(a, 1).phase = hold_phase::kAcquiring;
    }
    scene.holds(a, 2);
    scene.wants(b, 1);
    EXPECT_TRUE(scene.judged().empty());
    EXPECT_EQ(scene.judged(1)[0].root, a);  // it is still the one that b waits for
  }
}

TEST(SelfDeadlock, AHandlerOnAStackOfItsOwnAsksLater) {
  Scene scene;
  const auto a = scene.thread(), writer = scene.thread();
  scene.writes(writer, 1);
  scene.wants_to_read(a, 1, 50);
  scene.holds(a, 2);
  scene.wants(a, 2, 20).registers[kRsp] = 0x7000;  // above where the reader stands
  const auto verdicts = scene.judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kSelfDeadlock);
  EXPECT_EQ(verdicts[0].root_lock, 2U);
  EXPECT_TRUE(current_wait(scene.snapshot.threads[a], scene.snapshot.tick, 1)->in_handler);
}

// Only libc's word tells that the lock is its own; that it sleeps tells that it was so before.
TEST(SelfDeadlock, WhoSleepsForWhatIsItsOwnWasNotJustGrantedIt) {
  for (const Sleep how : {Sleep::kThere, Sleep::kElsewhere, Sleep::kUnknown}) {
    Scene scene;
    const auto a = scene.thread();
    scene.wants(a, 1);
    scene.locks[1].owner = scene.tid(a);
    scene.sleeps_at(a, 1, how);
    const auto verdicts = scene.judged();
    ASSERT_EQ(verdicts.size(), how == Sleep::kThere ? 1U : 0U);
    if (how == Sleep::kThere) {
      EXPECT_EQ(verdicts[0].kind, FindingKind::kSelfDeadlock);
    }
    scene.locks[1].between_processes = true;  // whose thread may have this number as well
    EXPECT_TRUE(scene.judged().empty());
  }
}

TEST(SelfDeadlock, ANumberThatWasAnotherThreadsMakesAnOrphan) {
  Scene scene;
  const auto newcomer = scene.thread();
  scene.left(1, LockKind::kMutex, scene.tid(newcomer));
  scene.wants(newcomer, 1);
  scene.sleeps_at(newcomer, 1);
  const auto verdicts = scene.judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kOrphanedLock);
}

// Thread 0 waits for lock 1, and has 2 since so many ticks after that wait began; thread 1 the
// other way round.
void cross(Scene& scene, std::int32_t ticks_after) {
  const auto a = scene.thread(), b = scene.thread();
  scene.wants(a, 1, 50);
  scene.holds(a, 2).tick =
      static_cast<std::uint32_t>(static_cast<std::int32_t>(kNowTick) - 50 + ticks_after);
  scene.holds(b, 1);
  scene.wants(b, 2, 10);
}

TEST(HandlerOnAWait, GivesItsLockBack) {
  for (const bool in_handler : {false, true}) {
    Scene scene;
    cross(scene, in_handler ? 1 : -1);
    EXPECT_EQ(scene.judged().size(), in_handler ? 0U : 1U);
  }
}

TEST(HandlerOnAWait, IsToldByTheKernelWhereTheClockIsTooCoarse) {
  for (const Sleep how : {Sleep::kThere, Sleep::kElsewhere, Sleep::kUnknown}) {
    Scene scene;
    cross(scene, 0);
    scene.sleeps_at(0, 1, how);
    EXPECT_EQ(scene.judged().size(), how == Sleep::kElsewhere ? 0U : 1U);
  }
}

// It was asleep in its wait when the kernel was asked, but had the lock in a handler before that
// and has it in the next one now: then the holds have changed.
TEST(HandlerOnAWait, TwoLooksWithOtherHoldsProveNothing) {
  Scene scene;
  cross(scene, 0);
  scene.sleeps_at(0, 1);
  Findings findings({10'000'000'000});
  const auto look = [&] {
    return findings.look(scene.snapshot, Scene::probe, Scene::sleep).size();
  };
  EXPECT_EQ(look(), 0U);
  scene.snapshot.threads[0].state += kStateStep;
  EXPECT_EQ(look(), 0U);
  EXPECT_EQ(look(), 1U);
  scene.snapshot.threads[0].state += kStateStep;  // but what was told is told
  EXPECT_EQ(look() + look(), 0U);
}

TEST(HandlerOnAWait, IsTheRootOfThoseWhoWaitForIt) {
  Scene scene;
  cross(scene, 1);
  const auto verdicts = scene.judged(50'000'000);
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kLongWait);
  EXPECT_EQ(verdicts[0].root, 0U);
  EXPECT_EQ(waiters(verdicts[0].crowd), (std::vector<std::uint32_t>{0, 1}));
}

// It got in the handler what the interrupted code waits for.
TEST(HandlerOnAWait, MayHaveWhatTheInterruptedCodeWants) {
  for (const std::uint64_t after : {0U, 1U}) {
    Scene scene;
    const auto a = scene.thread();
    scene.wants(a, 1, 50);
    scene.holds(a, 1).tick = static_cast<std::uint32_t>(kNowTick - 50 + after);
    scene.sleeps_at(a, 1, Sleep::kElsewhere);
    EXPECT_TRUE(scene.judged().empty());
  }
}

// A circle that it has nothing to do with stands.
TEST(HandlerOnAWait, HidesNoCircleOfOlderLocks) {
  Scene scene;
  cross(scene, 1);
  scene.holds(0, 3);
  scene.wants(1, 3);
  const auto behind_handler = scene.thread();
  scene.wants(behind_handler, 2);
  const auto verdicts = scene.judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(waiters(verdicts[0].cycle), (std::vector<std::uint32_t>{0, 1}));
  EXPECT_TRUE(verdicts[0].crowd.empty());
}

TEST(HandlerOnAWait, AWaitOfItsOwnCountsForAllThatTheThreadHas) {
  Scene scene;
  cross(scene, 1);
  scene.waits(0, WaitKind::kMutex, 1, 40).outer = 1;
  EXPECT_EQ(scene.judged().size(), 1U);
}

}  // namespace
}  // namespace impasse
