#include "detector/findings.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "groups_scene.h"

namespace impasse {
namespace {

using test::Scene;

constexpr std::uint64_t kSecond = 1'000'000'000;

// Time goes on: clock, waits and all.
void pass(Scene& scene, std::uint64_t ns) {
  scene.snapshot.tick += ns / scene.snapshot.tick_ns;
  scene.snapshot.now_ns += ns;
}

Sleep always_asleep(std::uint32_t, WaitKind, std::uint64_t) {
  return Sleep::kThere;
}

// Says that all its threads are known.
ProcessView odd_process() {
  return {[](std::vector<std::uint32_t>& tids) {
            tids = {100};
            return true;
          },
          [] { return false; }};
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

// One of the two has left its wait by a jump out of a signal handler, and reads from a socket now.
TEST_F(FindingsTest, WhoIsElsewhereWaitsForNobody) {
  abba();
  scene_.sleeps_at(0, 2);
  scene_.sleeps_at(1, 1, Sleep::kElsewhere);
  const auto look_and_ask = [this] {
    pass(scene_, 20'000'000);
    return findings_.look(scene_.snapshot, Scene::probe, Scene::sleep, {});
  };
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(look_and_ask().empty());
  scene_.sleeps_at(1, 1);  // a handler of a signal was at work
  EXPECT_EQ(look_and_ask().size(), 1U);
}

TEST_F(FindingsTest, WhoseSleepIsNotKnownIsBelieved) {
  abba();
  scene_.sleeps_at(0, 2);
  std::size_t told = 0;
  for (int i = 0; i < 2; ++i) {
    pass(scene_, 20'000'000);
    told += findings_.look(scene_.snapshot, Scene::probe, Scene::sleep, {}).size();
  }
  EXPECT_EQ(told, 1U);
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
  std::map<FindingKind, unsigned> kinds;
  for (int round = 0; round < 4'000; ++round) {
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
      const auto kind = static_cast<WaitKind>(below(10));
      const std::uint64_t object = kind == WaitKind::kJoin ? 0x7000 + below(12) : below(6);
      WaitFact& wait = scene.waits(i, kind, object, below(3'000));
      wait.timed = below(4) == 0;
      wait.outer = below(4) == 0 ? 1 : 0;
      wait.partner = below(6);
      wait.place = 1 + below(2);
    }
    for (ThreadFact& thread : scene.snapshot.threads) {
      thread.number = below(6);
      thread.signals_lost = below(20) == 0;
      for (unsigned signals = below(3); signals > 0; --signals) {
        thread.signals.push_back(
            {below(6), below(3), static_cast<SignalKind>(below(3)), 1 + below(2) * 50, below(9)});
      }
    }
    for (unsigned facts = below(12); facts > 0; --facts) {
      LockFact& fact = scene.snapshot.locks.emplace_back();
      fact.address = below(6);
      fact.kind = static_cast<LockKind>(below(7));
      fact.woken_sites = ~std::uint64_t{0};
      fact.gone_signallers_maker = below(8);
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
      for (const Telling& telling :
           findings_.look(scene.snapshot, Scene::probe, always_asleep, odd_process())) {
        kinds[telling.verdict->kind] += 1;
        for (const auto* links : {&telling.verdict->cycle, &telling.verdict->crowd}) {
          for (const VerdictLink& link : *links) ASSERT_LT(link.waiter, n);
        }
      }
      pass(scene, kSecond / 10);
    }
  }
  EXPECT_NE(kinds[FindingKind::kStuckCondition], 0U);
  EXPECT_NE(kinds[FindingKind::kAllAsleep], 0U);
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

// ---- groups that wait to be signalled

class GroupFindingsTest : public ::testing::Test {
 protected:
  static constexpr std::uint64_t kRoom = 0x200, kMutex = 0x10;

  // Each waits for room in a queue that only they drain.
  void SetUp() override {
    for (int i = 0; i < 2; ++i) join_in();
    scene_.thread();
    scene_.all_sleep();
  }
  std::uint32_t join_in() {
    const auto worker = scene_.thread();
    WaitFact& wait = scene_.waits_for(worker, kRoom, kMutex);
    wait.tick = scene_.snapshot.tick - test::kLasting;
    scene_.signals(worker, kRoom);
    return worker;
  }
  std::vector<Telling> look() {
    return findings_.look(scene_.snapshot, Scene::probe, Scene::sleep,
                          test::GroupsScene::process());
  }
  test::GroupsScene scene_;
  Findings findings_{{10 * kSecond}};
};

TEST_F(GroupFindingsTest, AreToldAfterTwoLooksAndThenEverMoreRarely) {
  EXPECT_FALSE(findings_.has_groups());
  EXPECT_TRUE(look().empty());
  EXPECT_TRUE(findings_.wants_second_look());
  EXPECT_TRUE(findings_.has_groups());
  std::vector<std::uint32_t> updates;
  for (int i = 0; i < 400; ++i) {
    pass(scene_, kSecond);
    for (const Telling& telling : look()) {
      EXPECT_EQ(telling.verdict->kind, FindingKind::kStuckCondition);
      updates.push_back(telling.update);
    }
  }
  EXPECT_EQ(updates, (std::vector<std::uint32_t>{0, 1, 2}));
}

TEST_F(GroupFindingsTest, WhoWasSignalledAndHadNoProcessorYetIsNotAsleep) {
  scene_.sleeps_at(1, kRoom, Sleep::kElsewhere);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(look().empty());
  EXPECT_TRUE(findings_.has_groups());  // it is looked at again
  scene_.sleeps_at(1, kRoom);
  EXPECT_EQ(look().size(), 1U);
}

TEST_F(GroupFindingsTest, WhatTheKernelDoesNotTellIsNotConfirmed) {
  scene_.sleeps.clear();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(look().empty());
  Findings blind{{10 * kSecond}};
  for (int i = 0; i < 3; ++i) {
    EXPECT_TRUE(
        blind.look(scene_.snapshot, Scene::probe, nullptr, test::GroupsScene::process()).empty());
  }
}

TEST_F(GroupFindingsTest, AnotherWaitIsNotTheSame) {
  look();
  scene_.snapshot.threads[0].wait->sequence += 2;
  EXPECT_TRUE(look().empty());
  EXPECT_EQ(look().size(), 1U);
}

TEST_F(GroupFindingsTest, OthersWhoComeAlongArePartOfIt) {
  look();
  for (int i = 0; i < 100; ++i) {
    join_in();
    scene_.all_sleep();
    EXPECT_EQ(look().size(), i == 0 ? 1U : 0U);
  }
  EXPECT_EQ(findings_.troubles(), 1U);
}

TEST_F(GroupFindingsTest, WhenAllSleepTheSameTroubleSaysMore) {
  look();
  ASSERT_EQ(look().size(), 1U);
  scene_.joins(2, 0, test::kLasting);
  scene_.sleeps_at(2, scene_.snapshot.threads[0].thread);
  look();
  const auto told = look();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].verdict->kind, FindingKind::kAllAsleep);
  EXPECT_EQ(told[0].finding, 1U);
  EXPECT_EQ(told[0].update, 1U);
  // And somebody new is up.
  scene_.thread();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(look().empty());
}

TEST_F(GroupFindingsTest, GrowthThatCouldNotBeToldComesAgain) {
  look();
  ASSERT_EQ(look().size(), 1U);
  scene_.joins(2, 0, test::kLasting);
  scene_.sleeps_at(2, scene_.snapshot.threads[0].thread);
  look();
  for (int i = 0; i < 3; ++i) {
    const auto told = look();
    ASSERT_EQ(told.size(), 1U);
    EXPECT_EQ(told[0].verdict->kind, FindingKind::kAllAsleep);
    EXPECT_EQ(told[0].update, 1U);
    findings_.not_told(told[0].finding);
  }
  EXPECT_EQ(look().size(), 1U);
  EXPECT_TRUE(look().empty());
}

TEST_F(GroupFindingsTest, OfVeryManySomeAreAsked) {
  for (int i = 0; i < 2'000; ++i) join_in();
  scene_.joins(2, 0, test::kLasting);
  scene_.all_sleep();
  scene_.sleeps_at(2, scene_.snapshot.threads[0].thread);
  look();
  const auto told = look();
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].verdict->kind, FindingKind::kAllAsleep);
  EXPECT_FALSE(told[0].verdict->certain);
}

TEST_F(GroupFindingsTest, AreNotLookedForIfNotWanted) {
  findings_ = Findings{{10 * kSecond, false}};
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(look().empty());
  EXPECT_FALSE(findings_.has_groups());
}

}  // namespace
}  // namespace impasse
