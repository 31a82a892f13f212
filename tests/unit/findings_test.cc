#include "detector/findings.h"

#include <gtest/gtest.h>

#include <random>

#include "scene.h"

namespace impasse {
namespace {

using test::Scene;

constexpr std::uint64_t kSecond = 1'000'000'000;

// Time goes on: clock, waits and all.
void pass(Scene& scene, std::uint64_t ns) {
  scene.snapshot.tick += ns / scene.snapshot.tick_ns;
  scene.snapshot.now_ns += ns;
}

class FindingsTest : public ::testing::Test {
 protected:
  Scene scene_;
  Findings findings_{{10 * kSecond}};
  std::vector<Telling> look() { return findings_.look(scene_.snapshot, Scene::probe); }

  void abba() {
    const auto a = scene_.thread(), b = scene_.thread();
    scene_.holds(a, 1);
    scene_.holds(b, 2);
    scene_.wants(a, 2);
    scene_.wants(b, 1);
  }
};

TEST_F(FindingsTest, NothingIsToldOfASingleLook) {
  abba();
  EXPECT_TRUE(look().empty());
  EXPECT_TRUE(findings_.wants_second_look());
  pass(scene_, 20'000'000);
  EXPECT_EQ(look().size(), 1U);
  EXPECT_FALSE(findings_.wants_second_look());
}

TEST_F(FindingsTest, AnotherWaitOfTheSameThreadsIsNotTheSame) {
  abba();
  EXPECT_TRUE(look().empty());
  scene_.snapshot.threads[0].wait->sequence += 2;
  EXPECT_TRUE(look().empty());
  EXPECT_EQ(look().size(), 1U);
}

TEST_F(FindingsTest, ToldOnceThenEverMoreRarely) {
  abba();
  std::vector<std::uint64_t> told_at;
  const std::uint64_t begin = scene_.snapshot.now_ns;
  for (int i = 0; i < 2'000; ++i) {
    for (const Telling& telling : look()) {
      EXPECT_EQ(telling.finding, 1U);
      EXPECT_EQ(telling.update, told_at.size());
      told_at.push_back((scene_.snapshot.now_ns - begin) / kSecond);
    }
    pass(scene_, kSecond);
  }
  // 1 and then 5, 30, 60, 120, ... times the threshold
  EXPECT_EQ(told_at, (std::vector<std::uint64_t>{1, 51, 301, 601, 1'201}));
}

TEST_F(FindingsTest, ManyBehindOneLockAreOneFinding) {
  const auto root = scene_.thread();
  scene_.holds(root, 1);
  std::size_t told = 0;
  for (int i = 0; i < 50; ++i) {
    scene_.wants(scene_.thread(), 1, 0);
    for (int k = 0; k < 10; ++k) {
      told += look().size();
      pass(scene_, kSecond / 10);
    }
  }
  EXPECT_EQ(told, 1U);
}

TEST_F(FindingsTest, StarvationKeepsItsNameWhoeverHasTheLock) {
  const auto a = scene_.thread(), b = scene_.thread(), starving = scene_.thread();
  scene_.wants(starving, 1, 0);
  std::vector<std::uint64_t> changes;
  for (int i = 0; i < 400; ++i) {
    scene_.snapshot.threads[a].holds.clear();
    scene_.snapshot.threads[b].holds.clear();
    scene_.holds(i % 2 == 0 ? a : b, 1).tick = static_cast<std::uint32_t>(scene_.snapshot.tick);
    for (const Telling& telling : look()) {
      EXPECT_EQ(telling.finding, 1U);
      ASSERT_TRUE(telling.changed_hands);
      changes.push_back(*telling.changed_hands);
    }
    pass(scene_, kSecond / 10);
  }
  ASSERT_EQ(changes.size(), 1U);
  EXPECT_GE(changes[0], 95U);
}

// Who has the lock waits for one thing or another itself: the end of the chain is always another.
TEST_F(FindingsTest, StarvationBehindChangingRootsIsOneFinding) {
  const auto starving = scene_.thread(), second = scene_.thread(), holder = scene_.thread();
  scene_.wants(starving, 1, 0);
  scene_.wants(second, 1, 0);
  scene_.holds(holder, 1);
  constexpr std::uint64_t kRoots = 20;
  for (std::uint64_t i = 0; i < kRoots; ++i) scene_.holds(scene_.thread(), 100 + i);
  std::size_t told = 0;
  for (std::uint64_t i = 0; i < 400; ++i) {
    scene_.wants(holder, 100 + i / 3 % kRoots, 0).tick = scene_.snapshot.tick;
    if (i == 250) scene_.snapshot.threads[starving].wait.reset();
    told += look().size();
    pass(scene_, kSecond / 10);
  }
  EXPECT_EQ(told, 1U);
}

TEST_F(FindingsTest, AQueueThatMovesIsALongWaitStill) {
  scene_.holds(scene_.thread(), 1);
  std::size_t told = 0;
  std::vector<std::uint32_t> queue;
  for (std::uint64_t i = 0; i < 40; ++i) {
    queue.push_back(scene_.thread());
    scene_.wants(queue.back(), 1, 0).tick = scene_.snapshot.tick;
    // Each waits for ten seconds, and is seen when they are full once.
    if (i >= 21) scene_.snapshot.threads[queue[i - 21]].wait.reset();
    told += look().size();
    pass(scene_, kSecond / 2);
  }
  EXPECT_EQ(told, 1U);
}

// Readers go on coming into a lock whose writer waits, and each ends behind that writer.
TEST_F(FindingsTest, OneStuckWaitIsOneFindingHoweverManyCirclesItIsIn) {
  std::vector<std::uint32_t> places;
  for (int i = 0; i < 10; ++i) places.push_back(scene_.thread());
  const auto writer = scene_.thread();
  scene_.holds(writer, 2);
  scene_.waits(writer, WaitKind::kWrite, 1);
  std::size_t told = 0;
  for (std::uint32_t i = 10; i-- > 0;) {
    scene_.holds(places[i], 1, LockKind::kRwlock, true).site = 0x100 + i;
    scene_.wants(places[i], 2).site = 0x200 + i;
    for (int k = 0; k < 3; ++k) {
      told += look().size();
      pass(scene_, kSecond / 10);
    }
  }
  EXPECT_EQ(told, 1U);
}

// Whatever a torn or damaged ledger might say.
TEST_F(FindingsTest, NoSnapshotIsTooOdd) {
  std::mt19937 random(7);
  const auto below = [&random](unsigned n) { return static_cast<std::uint32_t>(random() % n); };
  for (int round = 0; round < 2'000; ++round) {
    Scene scene;
    const unsigned n = 1 + below(12);
    for (unsigned i = 0; i < n; ++i) {
      ThreadFact& thread = scene.snapshot.threads[scene.thread()];
      thread.tid = 100 + below(12);  // also twice
      thread.thread = 0x7000 + below(12);
      thread.life = static_cast<ThreadLife>(below(4));
      for (unsigned holds = below(4); holds > 0; --holds) {
        HoldFact& hold = scene.holds(i, below(6), static_cast<LockKind>(below(3)), below(2) == 0);
        hold.phase = static_cast<std::uint8_t>(below(3));
        hold.tick = below(3) == 0 ? 0 : hold.tick + below(200);
        hold.stack_low = below(5);
      }
      if (below(3) == 0) continue;
      const auto kind = static_cast<WaitKind>(below(7));
      const std::uint64_t object = kind == WaitKind::kJoin ? 0x7000 + below(12) : below(6);
      WaitFact& wait = scene.waits(i, kind, object, below(3'000));
      wait.timed = below(4) == 0;
      wait.outer = below(2);
    }
    for (unsigned gone = below(3); gone > 0; --gone) {
      scene.left(below(6), static_cast<LockKind>(below(3)), 100 + below(14),
                 static_cast<DepartureReason>(below(3)));
      scene.snapshot.departures.back().hold.shared = below(2) == 0;
    }
    for (auto& [address, state] : scene.locks) {
      state = {below(8) != 0, below(2) == 0 ? 0 : 100 + below(14),
               below(4),      below(2) == 0,
               below(4) == 0, below(4) == 0,
               below(4) == 0};
    }
    for (int looks = 0; looks < 2; ++looks) {
      for (const Telling& telling : findings_.look(scene.snapshot, Scene::probe)) {
        for (const auto* links : {&telling.verdict->cycle, &telling.verdict->crowd}) {
          for (const VerdictLink& link : *links) ASSERT_LT(link.waiter, n);
        }
      }
      pass(scene, kSecond / 10);
    }
  }
}

TEST_F(FindingsTest, AStuckHolderChangesNothing) {
  scene_.holds(scene_.thread(), 1);
  scene_.wants(scene_.thread(), 1, 0);
  std::vector<Telling> told;
  for (int i = 0; i < 200 && told.empty(); ++i) {
    told = look();
    pass(scene_, kSecond / 10);
  }
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].changed_hands, 0U);
}

TEST_F(FindingsTest, WhatComesAgainIsTheSameTrouble) {
  const auto root = scene_.thread(), waiter = scene_.thread();
  std::vector<std::uint32_t> updates;
  for (int episode = 0; episode < 8; ++episode) {
    scene_.snapshot.threads[root].holds.clear();
    scene_.holds(root, 1);
    scene_.wants(waiter, 1, 0).tick = scene_.snapshot.tick;
    for (int i = 0; i < 15; ++i) {
      pass(scene_, kSecond);
      for (const Telling& telling : look()) {
        EXPECT_EQ(telling.finding, 1U);
        updates.push_back(telling.update);
      }
    }
    scene_.snapshot.threads[waiter].wait.reset();
    for (int i = 0; i < 3; ++i) EXPECT_TRUE(look().empty());
  }
  EXPECT_EQ(updates, (std::vector<std::uint32_t>{0, 1}));
}

TEST_F(FindingsTest, WhatCouldNotBeToldIsToldLater) {
  abba();
  look();
  const auto first = look();
  ASSERT_EQ(first.size(), 1U);
  findings_.not_told(first[0].finding);
  EXPECT_EQ(look().size(), 1U);
}

TEST_F(FindingsTest, MuchOfTheSameIsToldThreeTimes) {
  std::size_t told = 0;
  for (std::uint64_t pair = 0; pair < 10; ++pair) {
    const auto a = scene_.thread(), b = scene_.thread();
    const std::uint64_t x = 100 + 2 * pair, y = x + 1;
    scene_.holds(a, x).site = 1;
    scene_.holds(b, y).site = 2;
    scene_.wants(a, y).site = 3;
    scene_.wants(b, x).site = 4;
  }
  for (int i = 0; i < 5; ++i) told += look().size();
  EXPECT_EQ(told, 3U);
}

}  // namespace
}  // namespace impasse
