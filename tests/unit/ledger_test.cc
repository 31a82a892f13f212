#include "detector/ledger.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "detector/levelled_set.h"
#include "test_ledger.h"

namespace impasse {
namespace {

using test::TestLedger;

TEST(Ledger, RegionsStandOnPagesAndDoNotOverlap) {
  for (const Geometry& geometry : {kFullGeometry, kSmallGeometry}) {
    TestLedger ledger(geometry);
    ASSERT_TRUE(ledger.formatted());
    const LedgerHeader& header = ledger->header();
    EXPECT_EQ(header.magic, kLedgerMagic);
    std::uint64_t end = kPage;
    for (unsigned i = 0; i < kRegions; ++i) {
      const Region& region = header.region[i];
      EXPECT_EQ(region.offset % kPage, 0u);
      EXPECT_GE(region.offset, end);
      end = region.offset + region.stride * region.capacity;
    }
    EXPECT_LE(end, header.total_bytes);
    EXPECT_EQ(header.total_bytes, Ledger::bytes(geometry));
  }
}

TEST(Ledger, HasTheCapacitiesThatWerePromised) {
  EXPECT_GE(kFullGeometry.slots, 10'000u);
  EXPECT_GE(kFullGeometry.locks, 1'000'000u);
}

TEST(Ledger, FailsWhereNothingCanBeReserved) {
  TestLedger ledger(kSmallGeometry, [](void*, std::size_t) { return false; });
  EXPECT_FALSE(ledger.formatted());
}

TEST(Ledger, HandsSlotsOutLastInFirstOut) {
  TestLedger ledger;
  ThreadSlot* a = ledger->claim_slot();
  ThreadSlot* b = ledger->claim_slot();
  ASSERT_NE(a, b);
  ledger->release_slot(*a);
  ledger->release_slot(*b);
  EXPECT_EQ(ledger->claim_slot(), b);
  EXPECT_EQ(ledger->claim_slot(), a);
  EXPECT_EQ(ledger->slots_used(), 2u);
}

TEST(Ledger, RunsOutOfSlotsWithACount) {
  TestLedger ledger;
  std::set<ThreadSlot*> all;
  while (ThreadSlot* slot = ledger->claim_slot()) all.insert(slot);
  EXPECT_EQ(all.size(), kSmallGeometry.slots);
  EXPECT_EQ(ledger.counter(k_threads_without_slot), 1u);
  ledger->release_slot(**all.begin());
  EXPECT_EQ(ledger->claim_slot(), *all.begin());
}

TEST(Ledger, AReusedSlotIsEmptyAndItsStateMovedOn) {
  TestLedger ledger;
  ThreadSlot& slot = *ledger->claim_slot();
  slot.tid.store(12);
  slot.name[0].store(1);
  HoldStack stack(slot, &*ledger);
  stack.push({0x5000, 1, 2, 0}, hold_phase::kHeld, 1);
  stack.remember(77);
  const std::uint64_t state = slot.state.load();
  ledger->release_slot(slot);
  ASSERT_EQ(ledger->claim_slot(), &slot);
  EXPECT_EQ(depth_of(slot.state.load()), 0u);
  EXPECT_GT(slot.state.load(), state & ~kRefuseMask);
  EXPECT_EQ(slot.tid.load(), 0u);
  EXPECT_EQ(slot.name[0].load(), 0u);
  EXPECT_EQ(slot.holds[0].lock.load(), 0u);
  EXPECT_EQ(slot.seen[seen_place(77)].load(), 0u);
  EXPECT_EQ(slot.wait.sequence.load() & 1, 0u);
}

TEST(Ledger, SlotsAreNeverSharedByTwoThreads) {
  TestLedger ledger;
  std::vector<std::thread> threads;
  std::atomic<int> collisions{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 3'000; ++i) {
        ThreadSlot* slot = ledger->claim_slot();
        if (slot->tid.exchange(static_cast<std::uint32_t>(t + 1)) != 0) ++collisions;
        if (slot->tid.load() != static_cast<std::uint32_t>(t + 1)) ++collisions;
        ledger->release_slot(*slot);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(collisions.load(), 0);
  EXPECT_LE(ledger->slots_used(), 4u);
}

TEST(Ledger, FindsSlotsByTid) {
  TestLedger ledger;
  std::map<std::uint32_t, ThreadSlot*> model;
  std::mt19937 random(3);
  for (int i = 0; i < 2'000; ++i) {
    const std::uint32_t tid = 1 + static_cast<std::uint32_t>(random() % 3'000);
    if (model.contains(tid)) {
      ledger->leave_tid(tid);
      ledger->release_slot(*model[tid]);
      model.erase(tid);
    } else if (model.size() < 800) {
      ThreadSlot* slot = ledger->claim_slot();
      ledger->enter_tid(tid, *slot);
      model[tid] = slot;
    }
  }
  for (std::uint32_t tid = 1; tid <= 3'000; ++tid) {
    EXPECT_EQ(ledger->find_tid(tid), model.contains(tid) ? model[tid] : nullptr);
  }
  EXPECT_EQ(ledger->find_tid(0), nullptr);
}

TEST(Ledger, ATurnThatDoesNotComeIsGivenUp) {
  TestLedger ledger;
  ledger->header().growing.store(1);  // somebody is stopped in the middle of it
  EXPECT_EQ(ledger->claim_slot(), nullptr);
  EXPECT_EQ(ledger.counter(k_threads_without_slot), 1u);
  ledger->header().growing.store(0);
  EXPECT_NE(ledger->claim_slot(), nullptr);
}

TEST(Ledger, ATurnInsideOnesOwnIsGivenUpAtOnce) {
  TestLedger ledger;
  const GrowthTurn outer(ledger->growth());
  ASSERT_TRUE(static_cast<bool>(outer));
  for (int i = 0; i < 10'000; ++i) {  // waiting each time would take minutes
    const GrowthTurn inner(ledger->growth());
    ASSERT_FALSE(static_cast<bool>(inner));
  }
}

}  // namespace
}  // namespace impasse
