#include "detector/hold_stack.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "detector/deep_holds.h"
#include "detector/departures.h"
#include "test_ledger.h"

namespace impasse {
namespace {

using test::locks_in;
using test::look;
using test::TestLedger;

constexpr std::uint64_t kBase = 0x7f00'0000'1000;
std::uint64_t lock_at(std::uint64_t i) {
  return kBase + 40 * i;
}
NewHold hold_of(std::uint64_t lock, std::uint8_t traits = 0) {
  return {lock, 0x40'1234, 0x7ffd'1000, traits};
}

// Everything the thread holds, with levels: inline places, then the deep table.
std::multiset<std::uint64_t> held(ThreadSlot& slot, const Ledger& ledger) {
  std::multiset<std::uint64_t> all;
  for (const std::uint64_t lock : locks_in(slot)) all.insert(lock);
  const std::uint64_t places = slot.deep_size.load() >> 32;
  for (std::uint64_t i = 0; i < places; ++i) {
    const DeepHold& hold = ledger.at<DeepHold>(slot.deep.load())[i];
    if (hold.lock.load() <= 1) continue;
    for (std::uint64_t level = 0; level < hold.levels.load(); ++level) all.insert(hold.lock.load());
  }
  return all;
}

TEST(HoldStack, PushesAndRemovesInOrder) {
  TestLedger ledger;
  ThreadSlot& slot = *ledger->claim_slot();
  HoldStack stack(slot, &*ledger);
  stack.push(hold_of(lock_at(1)), hold_phase::kHeld, 7);
  stack.push(hold_of(lock_at(2), hold_trait::kShared), hold_phase::kAcquiring, 8);
  EXPECT_EQ(locks_in(slot), (std::vector{lock_at(1), lock_at(2)}));
  EXPECT_EQ(phase_of(slot.holds[1]), hold_phase::kAcquiring);
  stack.take_again(lock_at(2), 9);
  EXPECT_EQ(phase_of(slot.holds[1]), hold_phase::kHeld);
  EXPECT_EQ(slot.holds[1].stamp.load() & 0xffff'ffff, 9u);
  EXPECT_EQ(slot.holds[1].site.load() & kSiteMask, 0x40'1234u);
  EXPECT_EQ(test::traits_in(slot.holds[1].site.load()), hold_trait::kShared);
  EXPECT_TRUE(stack.remove(lock_at(1)));
  EXPECT_EQ(locks_in(slot), std::vector{lock_at(2)});
  EXPECT_FALSE(stack.remove(lock_at(1)));
  EXPECT_TRUE(stack.remove(lock_at(2)));
  EXPECT_EQ(locks_in(slot), std::vector<std::uint64_t>{});
}

TEST(HoldStack, EveryChangeIsSeenInTheState) {
  TestLedger ledger;
  ThreadSlot& slot = *ledger->claim_slot();
  HoldStack stack(slot, &*ledger);
  std::set<std::uint64_t> states{slot.state.load()};
  for (std::uint64_t i = 0; i < 5; ++i) {
    stack.push(hold_of(lock_at(i)), hold_phase::kHeld, 1);
    EXPECT_TRUE(states.insert(slot.state.load()).second);
  }
  for (const std::uint64_t i : {1, 4, 0, 2, 3}) {
    stack.remove(lock_at(i));
    EXPECT_TRUE(states.insert(slot.state.load()).second);
  }
}

TEST(HoldStack, ConditionWaitGivesTheNewestLevelBack) {
  TestLedger ledger;
  ThreadSlot& slot = *ledger->claim_slot();
  HoldStack stack(slot, &*ledger);
  stack.push(hold_of(lock_at(1)), hold_phase::kHeld, 1);
  stack.push(hold_of(lock_at(1), hold_trait::kAgain), hold_phase::kHeld, 1);
  EXPECT_TRUE(stack.give_back(lock_at(1)));
  EXPECT_EQ(phase_of(slot.holds[0]), hold_phase::kHeld);
  EXPECT_EQ(phase_of(slot.holds[1]), hold_phase::kGivenBack);
  stack.take_again(lock_at(1), 5);
  EXPECT_EQ(phase_of(slot.holds[1]), hold_phase::kHeld);
  EXPECT_FALSE(stack.give_back(lock_at(9)));
}

// A path depends on the locks, their order and their modes, and comes back when a lock on top is
// released.
TEST(HoldStack, PathsTellWhatIsHeld) {
  TestLedger ledger;
  ThreadSlot& slot = *ledger->claim_slot();
  HoldStack stack(slot, &*ledger);
  std::set<std::uint64_t> paths;
  for (std::uint64_t i = 0; i < 8; ++i) {
    for (std::uint64_t j = 0; j < 8; ++j) {
      if (i == j) continue;
      stack.push(hold_of(lock_at(i)), hold_phase::kHeld, 1);
      EXPECT_TRUE(paths.insert(stack.path_with(lock_at(j), 0)).second);
      EXPECT_TRUE(paths.insert(stack.path_with(lock_at(j), hold_trait::kShared)).second);
      const std::uint64_t before = stack.path_with(lock_at(j), 0);
      stack.push(hold_of(lock_at(20)), hold_phase::kHeld, 1);
      stack.remove(lock_at(20));
      EXPECT_EQ(stack.path_with(lock_at(j), 0), before);
      stack.remove(lock_at(i));
    }
  }
  // A lock that dies takes what was learned about it along.
  stack.push(hold_of(lock_at(0)), hold_phase::kHeld, 1);
  const std::uint64_t before = stack.path_with(lock_at(1), 0);
  change_salt(lock_at(1));
  EXPECT_NE(stack.path_with(lock_at(1), 0), before);
}

TEST(HoldStack, PathsAreRightAfterARemovalOutOfOrder) {
  TestLedger ledger;
  ThreadSlot& slot = *ledger->claim_slot();
  ThreadSlot& other = *ledger->claim_slot();
  HoldStack stack(slot, &*ledger);
  HoldStack straight(other, &*ledger);
  for (const std::uint64_t i : {1, 2, 3, 4}) stack.push(hold_of(lock_at(i)), hold_phase::kHeld, 1);
  stack.remove(lock_at(2));
  for (const std::uint64_t i : {1, 3, 4}) straight.push(hold_of(lock_at(i)), hold_phase::kHeld, 1);
  EXPECT_EQ(stack.path_with(lock_at(5), 0), straight.path_with(lock_at(5), 0));
}

// Those beyond the places of a slot are part of it too, in whatever order they were taken.
TEST(HoldStack, PathsContainWhatIsHeldBeyondThePlacesOfASlot) {
  TestLedger ledger;
  ThreadSlot& slot = *ledger->claim_slot();
  HoldStack stack(slot, &*ledger);
  for (std::uint64_t i = 0; i < kInlineHolds; ++i)
    stack.push(hold_of(lock_at(i)), hold_phase::kHeld, 1);
  const auto path_above = [&](std::vector<std::uint64_t> numbers) {
    for (const std::uint64_t n : numbers) stack.push(hold_of(lock_at(n)), hold_phase::kHeld, 1);
    const std::uint64_t path = stack.path_with(lock_at(99), 0);
    for (const std::uint64_t n : numbers) stack.remove(lock_at(n));
    return path;
  };
  const std::uint64_t bare = path_above({});
  EXPECT_EQ(path_above({}), bare);
  EXPECT_EQ(path_above({70, 73}), path_above({73, 70}));
  std::set<std::uint64_t> paths{bare};
  for (std::uint64_t i = 70; i < 86; ++i) {
    EXPECT_TRUE(paths.insert(path_above({i})).second);
    for (std::uint64_t j = i + 1; j < 86; ++j) EXPECT_TRUE(paths.insert(path_above({i, j})).second);
  }
  // A lock that dies takes what was learned about it along.
  const std::uint64_t before = path_above({70});
  change_salt(lock_at(70));
  EXPECT_NE(path_above({70}), before);
}

TEST(HoldStack, RemembersWhatItHasSeen) {
  TestLedger ledger;
  ThreadSlot& slot = *ledger->claim_slot();
  HoldStack(slot, &*ledger).remember(42);
  EXPECT_EQ(slot.seen[seen_place(42)].load(), 42u);
  EXPECT_EQ(slot.seen_dirty.load(), 1u);
}

// Random locking in any order, deep and recursive, against a multiset.
TEST(HoldStack, AgreesWithAModel) {
  TestLedger ledger;
  std::mt19937_64 random(20'240'101);
  for (int run = 0; run < 20; ++run) {
    ThreadSlot& slot = *ledger->claim_slot();
    HoldStack stack(slot, &*ledger);
    std::multiset<std::uint64_t> model;
    const std::uint64_t locks = run % 2 == 0 ? 12 : 300;
    for (int step = 0; step < 4'000; ++step) {
      const std::uint64_t lock = lock_at(random() % locks);
      const bool grow = model.size() < 2 || random() % 100 < (step % 1'000 < 500 ? 60 : 35);
      if (grow) {
        const bool again = model.contains(lock);
        stack.push(hold_of(lock, again ? hold_trait::kAgain : 0), hold_phase::kHeld, 1);
        model.insert(lock);
      } else {
        const bool known = model.contains(lock);
        EXPECT_EQ(stack.remove(lock), known);
        if (known) model.erase(model.find(lock));
      }
      if (step % 64 == 0) {
        ASSERT_EQ(held(slot, *ledger), model) << "run " << run << " step " << step;
      }
    }
    EXPECT_EQ(held(slot, *ledger), model);
    while (!model.empty()) {
      EXPECT_TRUE(stack.remove(*model.begin()));
      model.erase(model.begin());
    }
    EXPECT_TRUE(held(slot, *ledger).empty());
    ledger->release_slot(slot);
  }
  EXPECT_EQ(ledger.counter(k_holds_dropped), 0u);
}

TEST(HoldStack, HoldsAHundredThousandAndGivesTheMemoryBack) {
  TestLedger ledger(kFullGeometry);
  ThreadSlot& slot = *ledger->claim_slot();
  HoldStack stack(slot, &*ledger);
  constexpr std::uint64_t kMany = 100'000;
  for (std::uint64_t i = 0; i < kMany; ++i) stack.push(hold_of(lock_at(i)), hold_phase::kHeld, 1);
  EXPECT_EQ(held(slot, *ledger).size(), kMany);
  for (std::uint64_t i = 0; i < kMany; ++i) ASSERT_TRUE(stack.remove(lock_at(i)));
  EXPECT_TRUE(held(slot, *ledger).empty());
  const std::uint64_t used = ledger->header().deep_used.load();
  ledger->release_slot(slot);
  ThreadSlot& next = *ledger->claim_slot();
  HoldStack again(next, &*ledger);
  for (std::uint64_t i = 0; i < kMany; ++i) again.push(hold_of(lock_at(i)), hold_phase::kHeld, 1);
  EXPECT_EQ(ledger->header().deep_used.load(), used);
}

TEST(HoldStack, CountsWhatItHasNoRoomFor) {
  static bool room;
  room = true;
  TestLedger ledger(kSmallGeometry, [](void*, std::size_t) { return room; });
  ThreadSlot& slot = *ledger->claim_slot();
  room = false;
  HoldStack stack(slot, &*ledger);
  for (std::uint64_t i = 0; i < kInlineHolds + 3; ++i)
    stack.push(hold_of(lock_at(i)), hold_phase::kHeld, 1);
  EXPECT_EQ(ledger.counter(k_holds_dropped), 3u);
  EXPECT_FALSE(stack.remove(lock_at(kInlineHolds)));
  EXPECT_TRUE(stack.remove(lock_at(0)));
}

TEST(HoldStack, ReadsItsMail) {
  TestLedger ledger;
  ThreadSlot& slot = *ledger->claim_slot();
  HoldStack stack(slot, &*ledger);
  for (const std::uint64_t i : {1, 2, 3}) stack.push(hold_of(lock_at(i)), hold_phase::kHeld, 1);
  EXPECT_TRUE(HoldStack::post(slot, lock_at(2)));
  EXPECT_TRUE(HoldStack::post(slot, lock_at(1)));
  EXPECT_NE(slot.state.load() & kMailWaiting, 0u);
  stack.read_mail();
  EXPECT_EQ(locks_in(slot), std::vector{lock_at(3)});
  EXPECT_EQ(slot.state.load() & kMailWaiting, 0u);
  for (unsigned i = 0; i < kMailbox; ++i) EXPECT_TRUE(HoldStack::post(slot, lock_at(9)));
  EXPECT_FALSE(HoldStack::post(slot, lock_at(9)));
}

// One thread locks and unlocks in any order; others look. Whole looks show only what the owner once
// had.
TEST(HoldStack, LooksFromOutsideAreWhole) {
  TestLedger ledger;
  ThreadSlot& slot = *ledger->claim_slot();
  std::atomic<bool> stop{false};
  std::thread owner([&] {
    HoldStack stack(slot, &*ledger);
    std::mt19937_64 random(7);
    while (!stop.load(std::memory_order_relaxed)) {
      // Always ascending: what is held is strictly increasing from bottom to top.
      std::vector<std::uint64_t> mine;
      for (std::uint64_t i = 0; i < 10; ++i) {
        stack.push(hold_of(lock_at(i)), hold_phase::kHeld, 1);
        mine.push_back(lock_at(i));
      }
      std::shuffle(mine.begin(), mine.end(), random);
      for (const std::uint64_t lock : mine) stack.remove(lock);
    }
  });
  std::uint64_t whole = 0;
  std::vector<std::uint64_t> locks;
  for (int i = 0; i < 20'000 || whole < 100; ++i) {
    if (!look(slot, locks)) continue;
    ++whole;
    ASSERT_TRUE(std::is_sorted(locks.begin(), locks.end()));
    ASSERT_EQ(std::adjacent_find(locks.begin(), locks.end()), locks.end());
  }
  stop = true;
  owner.join();
}

TEST(Departures, KeepWhatAThreadLeftBehind) {
  TestLedger ledger;
  ThreadSlot& slot = *ledger->claim_slot();
  slot.tid.store(99);
  HoldStack stack(slot, &*ledger);
  stack.push(hold_of(lock_at(1)), hold_phase::kHeld, 3);
  stack.push(hold_of(lock_at(2)), hold_phase::kHeld, 3);
  stack.push(hold_of(lock_at(3)), hold_phase::kAcquiring, 3);  // not granted: not left behind
  HoldStack::post(slot, lock_at(2));                           // released by another thread
  LostHold lost[8];
  ASSERT_EQ(look_at_holds(slot, *ledger, DepartureReason::kThreadEnded, 17, lost, 8), 1u);
  EXPECT_EQ(lost[0].lock, lock_at(1));
  EXPECT_EQ(lost[0].tid, 99u);
  Departures departures(*ledger);
  EXPECT_FALSE(departures.any());
  departures.add(lost[0]);
  EXPECT_TRUE(departures.any());
  EXPECT_FALSE(departures.forget(lock_at(2)));
  departures.add(lost[0]);  // two readers of one lock, say
  EXPECT_TRUE(departures.forget(lock_at(1)));
  int left = 0;
  departures.each([&](const LostHold& hold) { left += hold.lock == lock_at(1) && hold.tid == 99; });
  EXPECT_EQ(left, 1);
  EXPECT_TRUE(departures.forget(lock_at(1)));
  EXPECT_FALSE(departures.forget(lock_at(1)));
  departures.add(lost[0]);
  departures.forget_range(lock_at(1) - 8, 16);
  EXPECT_FALSE(departures.forget(lock_at(1)));
}

TEST(Departures, FillUpAndCount) {
  TestLedger ledger;
  Departures departures(*ledger);
  const std::uint64_t capacity = ledger->departure_capacity();
  for (std::uint64_t i = 0; i < capacity + 5; ++i)
    departures.add({lock_at(i), 0, 0, 1, DepartureReason::kForked, 0, {}});
  EXPECT_EQ(ledger.counter(k_departures_dropped), 5u);
  EXPECT_TRUE(departures.forget(lock_at(capacity - 1)));
  departures.add({lock_at(7'777), 0, 0, 1, DepartureReason::kForked, 0, {}});
  EXPECT_TRUE(departures.forget(lock_at(7'777)));
}

}  // namespace
}  // namespace impasse
