#include "detector/verdicts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <random>

#include "scene.h"

namespace impasse {
namespace {

using test::kNowTick;
using test::Scene;

std::vector<std::uint32_t> waiters(const std::vector<VerdictLink>& links) {
  std::vector<std::uint32_t> threads;
  for (const VerdictLink& link : links) threads.push_back(link.waiter);
  std::sort(threads.begin(), threads.end());
  return threads;
}

void expect_closed(const Verdict& verdict) {
  ASSERT_FALSE(verdict.cycle.empty());
  for (std::size_t i = 0; i < verdict.cycle.size(); ++i) {
    EXPECT_EQ(verdict.cycle[i].blocker, verdict.cycle[(i + 1) % verdict.cycle.size()].waiter);
  }
}

TEST(Verdicts, TwoThreadsInContraryOrder) {
  Scene scene;
  const auto a = scene.thread(), b = scene.thread(), healthy = scene.thread();
  scene.holds(a, 1);
  scene.holds(b, 2);
  scene.holds(healthy, 3);
  scene.wants(a, 2);
  scene.wants(b, 1);
  const auto verdicts = scene.judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kDeadlock);
  EXPECT_EQ(waiters(verdicts[0].cycle), (std::vector{a, b}));
  expect_closed(verdicts[0]);
  EXPECT_TRUE(verdicts[0].crowd.empty());
}

TEST(Verdicts, ATimedWaitIsNoDeadlock) {
  Scene scene;
  const auto a = scene.thread(), b = scene.thread();
  scene.holds(a, 1);
  scene.holds(b, 2);
  scene.wants(a, 2).timed = true;
  scene.wants(b, 1);
  EXPECT_TRUE(scene.judged().empty());
}

TEST(Verdicts, WhatLibcSaysCountsMoreThanTheLedger) {
  Scene scene;
  const auto a = scene.thread(), b = scene.thread();
  scene.holds(a, 1);
  scene.holds(b, 2);
  scene.wants(a, 2);
  scene.wants(b, 1);
  scene.locks[2].owner = 0;  // just released
  EXPECT_TRUE(scene.judged().empty());
}

TEST(Verdicts, TheCrowdBehindACircleComesLayerByLayer) {
  Scene scene;
  const auto a = scene.thread(), b = scene.thread(), c = scene.thread(), d = scene.thread(),
             e = scene.thread();
  scene.holds(a, 1);
  scene.holds(b, 2);
  scene.wants(a, 2);
  scene.wants(b, 1);
  scene.holds(c, 3);
  scene.wants(c, 1);
  scene.wants(d, 3);
  scene.joins(e, d);
  const auto verdicts = scene.judged();
  ASSERT_EQ(verdicts.size(), 1U);
  const auto& crowd = verdicts[0].crowd;
  ASSERT_EQ(crowd.size(), 3U);
  EXPECT_EQ(crowd[0].waiter, c);
  EXPECT_EQ(crowd[1].waiter, d);
  EXPECT_EQ(crowd[2].waiter, e);
  EXPECT_EQ(crowd[2].reason, LinkReason::kJoin);
}

TEST(Verdicts, RelockOfANormalMutex) {
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

TEST(Verdicts, UpgradeFromReadToWrite) {
  Scene scene;
  const auto a = scene.thread(), other = scene.thread();
  scene.reads(a, 1);
  scene.reads(other, 1);
  scene.waits(a, WaitKind::kWrite, 1);
  const auto verdicts = scene.judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kSelfDeadlock);
}

TEST(Verdicts, AHandlerThatWantsWhatTheInterruptedCodeHasJustGot) {
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
TEST(Verdicts, WhoWasGrantedWhatItAskedForWaitsNoMore) {
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

TEST(Verdicts, AReaderMayHaveBeenLetInAlready) {
  for (const bool let_in : {true, false}) {
    Scene scene;
    const auto a = scene.thread(), writer = scene.thread(), reader = scene.thread();
    scene.holds(a, 2);
    scene.wants_to_read(a, 1);
    scene.reads(reader, 1);
    scene.wants(reader, 2);
    scene.waits(writer, WaitKind::kWrite, 1);
    scene.locks[1].prefers_writers = true;
    scene.locks[1].readers = let_in ? 2 : 1;
    EXPECT_EQ(scene.judged().size(), let_in ? 0U : 1U);
  }
}

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

TEST(Verdicts, ThreadsOfOtherProcessesMayHaveOurNumbers) {
  for (const bool ours : {false, true}) {
    Scene scene;
    const auto a = scene.thread(), b = scene.thread();
    scene.holds(a, 2);
    scene.wants(a, 1);
    scene.wants(b, 2);
    if (ours) scene.holds(b, 1);
    scene.locks[1].owner = scene.tid(b);
    scene.locks[1].between_processes = true;
    EXPECT_EQ(scene.judged().size(), ours ? 1U : 0U);
  }
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

TEST(Verdicts, AHandlerOnAStackOfItsOwnAsksLater) {
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

TEST(Verdicts, EveryReaderIsInAWritersWay) {
  Scene scene;
  const auto writer = scene.thread(), reader = scene.thread(), idle = scene.thread();
  scene.reads(idle, 1);
  scene.reads(reader, 1);
  scene.holds(writer, 2);
  scene.waits(writer, WaitKind::kWrite, 1);
  scene.wants(reader, 2);
  const auto verdicts = scene.judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kDeadlock);
  EXPECT_EQ(waiters(verdicts[0].cycle), (std::vector{writer, reader}));
}

TEST(Verdicts, AWaitingWriterIsInAReadersWayOnlyWhereTheLockSaysSo) {
  for (const bool prefers_writers : {true, false}) {
    Scene scene;
    const auto reader = scene.thread(), writer = scene.thread();
    scene.reads(reader, 1);
    scene.waits(writer, WaitKind::kWrite, 1);
    scene.wants_to_read(reader, 1);
    scene.locks[1].prefers_writers = prefers_writers;
    const auto verdicts = scene.judged();
    ASSERT_EQ(verdicts.size(), prefers_writers ? 1U : 0U);
    if (!prefers_writers) continue;
    EXPECT_EQ(verdicts[0].kind, FindingKind::kDeadlock);
    const auto& cycle = verdicts[0].cycle;
    EXPECT_TRUE(std::any_of(cycle.begin(), cycle.end(), [](const VerdictLink& link) {
      return link.reason == LinkReason::kWaitingWriter;
    }));
  }
}

TEST(Verdicts, JoinUnderALockThatTheJoinedThreadWants) {
  Scene scene;
  const auto a = scene.thread(), b = scene.thread();
  scene.holds(a, 1);
  scene.joins(a, b);
  scene.wants(b, 1);
  const auto verdicts = scene.judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kDeadlock);
}

TEST(Verdicts, AJoinOfAThreadThatWorksIsHealthy) {
  Scene scene;
  const auto a = scene.thread(), b = scene.thread();
  scene.joins(a, b, 9'000);
  scene.holds(b, 1);
  EXPECT_TRUE(scene.judged().empty());
}

TEST(Verdicts, SpinlocksAreKnownByTheLedgerAlone) {
  Scene scene;
  const auto a = scene.thread(), b = scene.thread();
  scene.holds(a, 1, LockKind::kSpin);
  scene.holds(b, 2, LockKind::kSpin);
  scene.waits(a, WaitKind::kSpin, 2);
  scene.waits(b, WaitKind::kSpin, 1);
  const auto verdicts = scene.judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kDeadlock);
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

// Random scenes of mutexes against the plainest thought: follow the one blocker of each thread.
TEST(Verdicts, AgreeWithANaiveModel) {
  std::mt19937 generator(20261121);
  const auto random = [&generator] { return static_cast<std::uint32_t>(generator()); };
  for (int round = 0; round < 3'000; ++round) {
    Scene scene;
    const unsigned n = 2 + random() % 12;
    const unsigned locks = 1 + random() % 12;
    for (unsigned i = 0; i < n; ++i) scene.thread();
    std::vector<std::uint32_t> owner(locks + 1, kNoOne);
    for (unsigned lock = 1; lock <= locks; ++lock) {
      if (random() % 4 == 0) continue;
      owner[lock] = random() % n;
      scene.holds(owner[lock], lock);
    }
    std::vector<unsigned> wanted(n, 0);
    std::vector<bool> timed(n, false);
    for (unsigned i = 0; i < n; ++i) {
      if (random() % 3 == 0) continue;
      wanted[i] = 1 + random() % locks;
      timed[i] = random() % 6 == 0;
      scene.wants(i, wanted[i]).timed = timed[i];
    }
    std::vector<std::uint32_t> expected;
    for (std::uint32_t i = 0; i < n; ++i) {
      std::uint32_t at = i;
      for (unsigned step = 0; step <= n; ++step) {
        if (wanted[at] == 0 || timed[at] || owner[wanted[at]] == kNoOne) break;
        at = owner[wanted[at]];
        if (at == i) {
          expected.push_back(i);
          break;
        }
      }
    }
    std::vector<std::uint32_t> found;
    for (const Verdict& verdict : scene.judged()) {
      if (verdict.cycle.empty()) continue;
      expect_closed(verdict);
      const auto members = waiters(verdict.cycle);
      found.insert(found.end(), members.begin(), members.end());
    }
    std::sort(found.begin(), found.end());
    ASSERT_EQ(found, expected) << "round " << round;
  }
}

}  // namespace
}  // namespace impasse
