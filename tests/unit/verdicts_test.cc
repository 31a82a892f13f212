#include "detector/verdicts.h"

#include <gtest/gtest.h>

#include <chrono>

#include "scene.h"

namespace impasse {
namespace {

using test::kNowTick;
using test::Scene;
using test::waiters;

TEST(Verdicts, AThreadMayHaveGotTheNumberOfOneThatIsGone) {
  Scene scene;
  const auto a = scene.thread(), newcomer = scene.thread();
  scene.left(1, LockKind::kMutex, scene.tid(newcomer));
  scene.holds(a, 2);
  scene.wants(a, 1);
  scene.wants(newcomer, 2);
  const auto verdicts = scene.judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kOrphanedLock);
  EXPECT_EQ(waiters(verdicts[0].crowd), (std::vector{a, newcomer}));
}

TEST(Verdicts, AReaderThatEndedIsInTheWayOnlyWhileItIsCounted) {
  for (const std::uint32_t counted : {1U, 2U}) {
    Scene scene;
    const auto reader = scene.thread(), writer = scene.thread();
    scene.left(1, LockKind::kRwlock, 77);
    scene.snapshot.departures.back().hold.shared = true;
    scene.locks[1].owner = 0;
    scene.reads(reader, 1);
    scene.locks[1].readers = counted;
    scene.waits(writer, WaitKind::kWrite, 1);
    EXPECT_EQ(scene.judged().size(), counted - 1);
  }
}

TEST(Verdicts, TicksStartAgainAfterFiveHundredDays) {
  Scene scene;
  const auto writer = scene.thread(), reader = scene.thread();
  scene.snapshot.tick = (std::uint64_t{1} << 32) + kNowTick;
  scene.writes(writer, 1);
  scene.wants_to_read(reader, 1, 999);
  EXPECT_TRUE(scene.judged().empty());
  EXPECT_EQ(scene.judged(9'990'000'000).size(), 1U);
}

TEST(Verdicts, LargeCrowdsAreJudgedInTime) {
  Scene scene;
  constexpr std::uint64_t kMany = 1'000;
  const auto root = scene.thread();
  scene.holds(root, 1);
  for (std::uint64_t i = 0; i < kMany; ++i) {
    const auto reader = scene.thread();
    scene.reads(reader, 2);
    scene.wants(reader, 1, 2'000);
  }
  for (std::uint64_t i = 0; i < kMany; ++i) scene.waits(scene.thread(), WaitKind::kWrite, 2, 1'500);
  for (std::uint64_t i = 0; i < kMany; ++i) scene.wants_to_read(scene.thread(), 2, 1'400);
  scene.locks[2].prefers_writers = true;
  // And a circle of many.
  const auto first = static_cast<std::uint32_t>(scene.snapshot.threads.size());
  for (std::uint64_t i = 0; i < 8 * kMany; ++i) scene.holds(scene.thread(), 100 + i);
  for (std::uint64_t i = 0; i < 8 * kMany; ++i) {
    scene.wants(first + static_cast<std::uint32_t>(i), 100 + (i + 1) % (8 * kMany));
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto verdicts = scene.judged();
  const auto took = std::chrono::steady_clock::now() - begin;
  ASSERT_EQ(verdicts.size(), 2U);
  EXPECT_EQ(verdicts[0].cycle.size(), 8 * kMany);
  EXPECT_EQ(verdicts[1].root, root);
  EXPECT_EQ(verdicts[1].crowd.size(), 3 * kMany);
  EXPECT_LT(std::chrono::duration_cast<std::chrono::milliseconds>(took).count(), 2'000);
  RecordProperty("milliseconds", static_cast<int>(took / std::chrono::milliseconds(1)));
}

TEST(Verdicts, TheHolderIsGone) {
  for (const auto reason : {DepartureReason::kThreadEnded, DepartureReason::kForked}) {
    Scene scene;
    const auto a = scene.thread(), b = scene.thread();
    scene.left(1, LockKind::kMutex, 77, reason);
    scene.wants(a, 1);
    scene.wants(b, 1);
    const auto verdicts = scene.judged();
    ASSERT_EQ(verdicts.size(), 1U);
    EXPECT_EQ(verdicts[0].kind, FindingKind::kOrphanedLock);
    EXPECT_EQ(verdicts[0].gone_root, 0U);
    EXPECT_EQ(waiters(verdicts[0].crowd), (std::vector{a, b}));
  }
}

// Processes share it: the parent's thread gives it back.
TEST(Verdicts, WhatTheParentHasIsNoOrphan) {
  Scene scene;
  const auto a = scene.thread();
  scene.left(1, LockKind::kMutex, 77, DepartureReason::kForked);
  scene.wants(a, 1);
  scene.locks[1].between_processes = true;
  for (const Verdict& verdict : scene.judged()) {
    EXPECT_NE(verdict.kind, FindingKind::kOrphanedLock);
  }
}

TEST(Verdicts, ARobustMutexHasNoOrphans) {
  Scene scene;
  const auto a = scene.thread();
  scene.left(1, LockKind::kMutex, 77);
  scene.locks[1].robust = true;
  scene.wants(a, 1);
  EXPECT_TRUE(scene.judged().empty());
}

TEST(Verdicts, AnotherProcessMayHaveTheLock) {
  Scene scene;
  const auto a = scene.thread();
  scene.wants(a, 1, 2'000);
  scene.locks[1].owner = 5'555;
  scene.locks[1].between_processes = true;
  const auto verdicts = scene.judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kLongWait);
  EXPECT_EQ(verdicts[0].root, kNoOne);
}

TEST(Verdicts, OneRootOneLongWait) {
  Scene scene;
  const auto root = scene.thread();
  scene.holds(root, 1);
  const auto middle = scene.thread();
  scene.holds(middle, 2);
  scene.wants(middle, 1, 1'500);
  for (int i = 0; i < 20; ++i) scene.wants(scene.thread(), i % 2 == 0 ? 1 : 2, 1'200);
  const auto verdicts = scene.judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kLongWait);
  EXPECT_EQ(verdicts[0].root, root);
  EXPECT_EQ(verdicts[0].root_lock, 1U);
  EXPECT_EQ(verdicts[0].crowd.size(), 21U);
  EXPECT_EQ(verdicts[0].longest_ns, 15'000'000'000U);
}

TEST(Verdicts, ShortOfTheThresholdNothingIsSaid) {
  Scene scene;
  const auto root = scene.thread();
  scene.holds(root, 1);
  scene.wants(scene.thread(), 1, 999);
  EXPECT_TRUE(scene.judged().empty());
  EXPECT_EQ(scene.judged(9'000'000'000).size(), 1U);
}

TEST(Verdicts, AConditionWaitIsNoWaitForALock) {
  Scene scene;
  const auto root = scene.thread(), worker = scene.thread();
  scene.holds(root, 1);
  scene.waits(worker, WaitKind::kCondition, 5, 9'000);
  EXPECT_TRUE(scene.judged().empty());
}

TEST(Verdicts, AnEndWithALockInHandIsToldUnlessSomebodyWaits) {
  for (const bool somebody_waits : {false, true}) {
    Scene scene;
    const auto a = scene.thread();
    scene.left(1, LockKind::kMutex, 77);
    if (somebody_waits) scene.wants(a, 1);
    auto verdicts = scene.judged();
    judge_exits(scene.snapshot, Scene::probe, verdicts);
    ASSERT_EQ(verdicts.size(), 1U);
    EXPECT_EQ(verdicts[0].kind, somebody_waits ? FindingKind::kOrphanedLock : FindingKind::kMisuse);
  }
}

TEST(Verdicts, AnEndIsNoMisuseWhereTheLockSaysOtherwise) {
  Scene released;
  released.left(1, LockKind::kMutex, 77);
  released.locks[1].owner = 0;
  std::vector<Verdict> verdicts;
  judge_exits(
      released.snapshot, [](std::uint64_t, LockKind) { return LockState{true}; }, verdicts);
  EXPECT_TRUE(verdicts.empty());
  Scene forked;
  forked.left(1, LockKind::kMutex, 77, DepartureReason::kForked);
  judge_exits(forked.snapshot, Scene::probe, verdicts);
  EXPECT_TRUE(verdicts.empty());
}

}  // namespace
}  // namespace impasse
