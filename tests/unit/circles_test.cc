#include "detector/verdicts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "scene.h"

namespace impasse {
namespace {

using test::Scene;
using test::waiters;

void expect_closed(const Verdict& verdict) {
  ASSERT_FALSE(verdict.cycle.empty());
  for (std::size_t i = 0; i < verdict.cycle.size(); ++i) {
    EXPECT_EQ(verdict.cycle[i].blocker, verdict.cycle[(i + 1) % verdict.cycle.size()].waiter);
  }
}

TEST(Circles, TwoThreadsInContraryOrder) {
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

TEST(Circles, ATimedWaitIsNoDeadlock) {
  Scene scene;
  const auto a = scene.thread(), b = scene.thread();
  scene.holds(a, 1);
  scene.holds(b, 2);
  scene.wants(a, 2).timed = true;
  scene.wants(b, 1);
  EXPECT_TRUE(scene.judged().empty());
}

TEST(Circles, WhatLibcSaysCountsMoreThanTheLedger) {
  Scene scene;
  const auto a = scene.thread(), b = scene.thread();
  scene.holds(a, 1);
  scene.holds(b, 2);
  scene.wants(a, 2);
  scene.wants(b, 1);
  scene.locks[2].owner = 0;  // just released
  EXPECT_TRUE(scene.judged().empty());
}

TEST(Circles, TheCrowdBehindACircleComesLayerByLayer) {
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

TEST(Circles, AReaderMayHaveBeenLetInAlready) {
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

TEST(Circles, ThreadsOfOtherProcessesMayHaveOurNumbers) {
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

TEST(Circles, EveryReaderIsInAWritersWay) {
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

TEST(Circles, AWaitingWriterIsInAReadersWayOnlyWhereTheLockSaysSo) {
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

TEST(Circles, JoinUnderALockThatTheJoinedThreadWants) {
  Scene scene;
  const auto a = scene.thread(), b = scene.thread();
  scene.holds(a, 1);
  scene.joins(a, b);
  scene.wants(b, 1);
  const auto verdicts = scene.judged();
  ASSERT_EQ(verdicts.size(), 1U);
  EXPECT_EQ(verdicts[0].kind, FindingKind::kDeadlock);
}

TEST(Circles, AJoinOfAThreadThatWorksIsHealthy) {
  Scene scene;
  const auto a = scene.thread(), b = scene.thread();
  scene.joins(a, b, 9'000);
  scene.holds(b, 1);
  EXPECT_TRUE(scene.judged().empty());
}

TEST(Circles, SpinlocksAreKnownByTheLedgerAlone) {
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

// Two hundred objects with the same fault, and one with another at last.
TEST(Circles, ManyAlikeHideNoOther) {
  Scene scene;
  constexpr std::uint64_t kMany = 200;
  for (std::uint64_t i = 0; i <= kMany; ++i) {
    const auto a = scene.thread(), b = scene.thread();
    const std::uint64_t x = 100 + 2 * i, y = x + 1, place = i == kMany ? 50 : 0;
    scene.holds(a, x).site = place + 1;
    scene.holds(b, y).site = place + 2;
    scene.wants(a, y).site = place + 3;
    scene.wants(b, x).site = place + 4;
  }
  const auto verdicts = scene.judged();
  EXPECT_LT(verdicts.size(), 100U);
  EXPECT_EQ(waiters(verdicts.back().cycle), (std::vector<std::uint32_t>{2 * kMany, 2 * kMany + 1}));
}

TEST(Circles, AllThatDifferAreTold) {
  Scene scene;
  constexpr std::uint64_t kMany = 300;
  for (std::uint64_t i = 0; i < kMany; ++i) {
    const auto a = scene.thread(), b = scene.thread();
    scene.holds(a, 100 + 2 * i);
    scene.holds(b, 101 + 2 * i);
    scene.wants(a, 101 + 2 * i);
    scene.wants(b, 100 + 2 * i);
  }
  EXPECT_EQ(scene.judged().size(), kMany);
}

// Random scenes of mutexes against the plainest thought: follow the one blocker of each thread.
TEST(Circles, AgreeWithANaiveModel) {
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
