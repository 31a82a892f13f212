// The reader of ledgers: every fact comes out as it was written.
#include "detector/ledger_reader.h"

#include <gtest/gtest.h>

#include <set>

#include "detector/deep_holds.h"
#include "detector/hold_stack.h"
#include "detector/ledger.h"
#include "ledger_image.h"

namespace impasse {
namespace {

constexpr std::uint8_t kMutexTrait = static_cast<std::uint8_t>(LockKind::kMutex);
constexpr std::uint8_t kRwTrait = static_cast<std::uint8_t>(LockKind::kRwlock);

LedgerReading reading(LedgerImage& image) {
  MemorySource source(image.bytes(), image.size());
  return read_ledger(source);
}

Snapshot good(LedgerImage& image) {
  LedgerReading result = reading(image);
  EXPECT_EQ(result.problem, "");
  return std::move(result.snapshot);
}

TEST(LedgerReader, AnEmptyLedgerTellsAboutItsProcess) {
  LedgerImage image;
  const Snapshot s = good(image);
  EXPECT_EQ(s.pid, 4242u);
  EXPECT_EQ(s.program, "river-node");
  EXPECT_EQ(s.library_version, "0.1.0");
  EXPECT_EQ(s.started_ns, 1'000'000'000'000u);
  EXPECT_EQ(s.started_wall, 1'794'530'513'000'000'000u);
  EXPECT_EQ(s.tick, 50'000u);
  EXPECT_EQ(s.tick_ns, 10'000'000u);
  EXPECT_EQ(s.now_ns, 1'500'000'000'000u);
  EXPECT_TRUE(s.threads.empty());
  EXPECT_TRUE(s.locks.empty());
  EXPECT_TRUE(s.departures.empty());
  EXPECT_EQ(s.senseless, 0u);
  for (const std::uint64_t counter : s.counters) EXPECT_EQ(counter, 0u);
}

TEST(LedgerReader, AProgramNameWithoutAnEndIsCutOff) {
  LedgerImage image;
  std::memset(image.header().program, 'x', sizeof image.header().program);
  EXPECT_EQ(good(image).program, std::string(64, 'x'));
}

TEST(LedgerReader, AHoldComesOutWhole) {
  LedgerImage image;
  ThreadSlot& slot = image.thread(100, "raft-loop");
  LedgerImage::hold(slot, 0x7000, kRwTrait | hold_trait::kShared | hold_trait::kTimed);
  LedgerImage::hold(slot, 0x8000, kMutexTrait | hold_trait::kTry, hold_phase::kHeld, 41'000);
  slot.contended = 12;
  slot.entry = 0x1234;
  slot.argument = 0x5678;
  const Snapshot s = good(image);
  ASSERT_EQ(s.threads.size(), 1u);
  const ThreadFact& thread = s.threads[0];
  EXPECT_EQ(thread.tid, 100u);
  EXPECT_EQ(thread.name, "raft-loop");
  EXPECT_EQ(thread.life, ThreadLife::kLive);
  EXPECT_FALSE(thread.changing);
  EXPECT_EQ(thread.contended, 12u);
  EXPECT_EQ(thread.entry, 0x1234u);
  EXPECT_EQ(thread.argument, 0x5678u);
  EXPECT_EQ(thread.creator, 4242u);
  EXPECT_EQ(thread.started_ns, 1'100'000'000'000u);
  EXPECT_FALSE(thread.wait.has_value());
  ASSERT_EQ(thread.holds.size(), 2u);
  const HoldFact& first = thread.holds[0];
  EXPECT_EQ(first.lock, 0x7000u);
  EXPECT_EQ(first.site, 0x5555'0000'1000u);
  EXPECT_EQ(first.tick, 40'000u);
  EXPECT_EQ(first.stack_low, 0xdead'0000u);
  EXPECT_EQ(first.kind, LockKind::kRwlock);
  EXPECT_EQ(first.phase, hold_phase::kHeld);
  EXPECT_TRUE(first.shared);
  EXPECT_TRUE(first.timed);
  EXPECT_FALSE(first.tried);
  EXPECT_EQ(thread.holds[1].kind, LockKind::kMutex);
  EXPECT_TRUE(thread.holds[1].tried);
  EXPECT_FALSE(thread.holds[1].shared);
  EXPECT_EQ(thread.holds[1].tick, 41'000u);
}

TEST(LedgerReader, AReservedPlaceIsNoHold) {
  LedgerImage image;
  ThreadSlot& slot = image.thread(100, "");
  LedgerImage::hold(slot, 0x7000, kMutexTrait);
  LedgerImage::hold(slot, 0x8000, kMutexTrait).lock = 0;
  const Snapshot s = good(image);
  ASSERT_EQ(s.threads[0].holds.size(), 1u);
  EXPECT_EQ(s.threads[0].name, "");
}

TEST(LedgerReader, AWaitComesOutWhole) {
  LedgerImage image;
  LedgerImage::wait(image.thread(101, ""), WaitKind::kWrite, 0x7000, 0, hold_trait::kTimed);
  LedgerImage::wait(image.thread(102, ""), WaitKind::kCondition, 0xb100, 0xb000);
  ThreadSlot& over = image.thread(103, "");
  LedgerImage::wait(over, WaitKind::kMutex, 0x9000);
  over.wait.sequence = over.wait.sequence + 1;
  const Snapshot s = good(image);
  ASSERT_TRUE(s.threads[0].wait.has_value());
  const WaitFact& wait = *s.threads[0].wait;
  EXPECT_EQ(wait.kind, WaitKind::kWrite);
  EXPECT_EQ(wait.object, 0x7000u);
  EXPECT_EQ(wait.site, 0x5555'0000'2000u);
  EXPECT_EQ(wait.since_ns, 1'200'000'000'000u);
  EXPECT_EQ(wait.tick, 20'000u);
  EXPECT_TRUE(wait.timed);
  for (unsigned i = 0; i < kSavedRegisters; ++i) EXPECT_EQ(wait.registers[i], 0x1000 + i);
  ASSERT_TRUE(s.threads[1].wait.has_value());
  EXPECT_EQ(s.threads[1].wait->partner, 0xb000u);
  EXPECT_FALSE(s.threads[1].wait->timed);
  EXPECT_FALSE(s.threads[2].wait.has_value());
}

TEST(LedgerReader, LevelsOfARecursiveLockAreOneHold) {
  LedgerImage image;
  ThreadSlot& slot = image.thread(100, "");
  LedgerImage::hold(slot, 0x8000, kMutexTrait);
  LedgerImage::hold(slot, 0x9000, kMutexTrait);
  LedgerImage::hold(slot, 0x8000, kMutexTrait | hold_trait::kAgain);
  LedgerImage::hold(slot, 0x8000, kMutexTrait | hold_trait::kAgain);
  LedgerImage::hold(slot, 0x8000, kMutexTrait | hold_trait::kAgain, hold_phase::kAcquiring);
  const Snapshot s = good(image);
  ASSERT_EQ(s.threads[0].holds.size(), 2u);
  EXPECT_EQ(s.threads[0].holds[0].lock, 0x8000u);
  EXPECT_EQ(s.threads[0].holds[0].levels, 3u);
  EXPECT_EQ(s.threads[0].holds[1].levels, 1u);
}

TEST(LedgerReader, TakingANormalLockTwiceIsTwoHolds) {
  LedgerImage image;
  ThreadSlot& slot = image.thread(100, "");
  LedgerImage::hold(slot, 0x8000, kMutexTrait);
  LedgerImage::hold(slot, 0x8000, kMutexTrait, hold_phase::kAcquiring);
  const Snapshot s = good(image);
  ASSERT_EQ(s.threads[0].holds.size(), 2u);
  EXPECT_EQ(s.threads[0].holds[1].phase, hold_phase::kAcquiring);
}

TEST(LedgerReader, ALevelThatIsStillHeldKeepsTheLockHeld) {
  LedgerImage image;
  ThreadSlot& slot = image.thread(100, "");
  LedgerImage::hold(slot, 0x8000, kMutexTrait);
  LedgerImage::hold(slot, 0x8000, kMutexTrait | hold_trait::kAgain, hold_phase::kGivenBack);
  ThreadSlot& other = image.thread(101, "");
  LedgerImage::hold(other, 0x8000, kMutexTrait, hold_phase::kGivenBack);
  const Snapshot s = good(image);
  EXPECT_EQ(s.threads[0].holds[0].phase, hold_phase::kHeld);
  EXPECT_EQ(s.threads[1].holds[0].phase, hold_phase::kGivenBack);
}

TEST(LedgerReader, WhatOthersReleasedIsNotHeld) {
  LedgerImage image;
  ThreadSlot& slot = image.thread(100, "");
  LedgerImage::hold(slot, 0x8000, kMutexTrait);
  LedgerImage::hold(slot, 0x9000, kMutexTrait);
  LedgerImage::hold(slot, 0x8000, kMutexTrait | hold_trait::kAgain);
  image.deep_table(slot, 0);
  image.deep_hold(slot, 9, 0xa000, 3);
  image.deep_hold(slot, 10, 0xa100, 1);
  slot.mailbox[0] = 0x9000;
  slot.mailbox[4] = 0x8000;  // the newest of its levels
  slot.mailbox[5] = 0xa000;
  slot.mailbox[6] = 0xa100;
  slot.mailbox[7] = 0xeeee;  // of nothing that is held
  const Snapshot s = good(image);
  const auto& holds = s.threads[0].holds;
  ASSERT_EQ(holds.size(), 2u);
  EXPECT_EQ(holds[0].lock, 0x8000u);
  EXPECT_EQ(holds[0].levels, 1u);
  EXPECT_EQ(holds[1].lock, 0xa000u);
  EXPECT_EQ(holds[1].levels, 2u);
}

TEST(LedgerReader, DeepHolds) {
  LedgerImage image;
  ThreadSlot& slot = image.thread(100, "");
  for (std::uint64_t i = 0; i < kInlineHolds; ++i)
    LedgerImage::hold(slot, 0x8000 + i * 64, kMutexTrait);
  image.deep_table(slot, 3);
  for (std::uint64_t i = 0; i < 50; ++i) image.deep_hold(slot, i * 2, 0x20000 + i * 64, 1);
  image.deep_hold(slot, 101, 0x8000, 4, hold_trait::kAgain);  // more levels of an inline one
  reinterpret_cast<DeepHold*>(image.bytes() + slot.deep)[1].lock = 1;  // removed
  const Snapshot s = good(image);
  const ThreadFact& thread = s.threads[0];
  EXPECT_EQ(thread.holds.size(), kInlineHolds + 50u);
  EXPECT_EQ(thread.holds[0].levels, 5u);
  EXPECT_EQ(thread.holds_unread, 0u);
  std::set<std::uint64_t> locks;
  for (const HoldFact& hold : thread.holds) locks.insert(hold.lock);
  EXPECT_EQ(locks.size(), kInlineHolds + 50u);
  EXPECT_EQ(s.senseless, 0u);
}

TEST(LedgerReader, Departures) {
  LedgerImage image;
  image.departure(0xc000, 88, DepartureReason::kThreadEnded);
  image.departure(1, 0, DepartureReason::kNone);  // being written
  image.departure(0, 0, DepartureReason::kNone);  // free
  image.departure(0xc100, 89, DepartureReason::kForked);
  for (std::uint64_t i = 4; i < LedgerImage::kDepartureCount; ++i) {
    image.departure(0xd000 + i, 90, DepartureReason::kThreadEnded);
  }
  const Snapshot s = good(image);
  ASSERT_EQ(s.departures.size(), LedgerImage::kDepartureCount - 2);
  EXPECT_EQ(s.departures[0].hold.lock, 0xc000u);
  EXPECT_EQ(s.departures[0].tid, 88u);
  EXPECT_EQ(s.departures[0].reason, DepartureReason::kThreadEnded);
  EXPECT_EQ(s.departures[0].when_ns, 1'300'000'000'000u);
  EXPECT_EQ(s.departures[1].reason, DepartureReason::kForked);
}

TEST(LedgerReader, LocksOfTheFactsAndTheMostContendedOthers) {
  LedgerImage image;
  ThreadSlot& slot = image.thread(100, "");
  LedgerImage::hold(slot, 0x7000, kRwTrait);
  LedgerImage::wait(slot, WaitKind::kMutex, 0x7100);
  image.lock(0x7000, LockKind::kRwlock, 0);
  image.lock(0x7100, LockKind::kMutex, 0);
  image.lock(0x7200, LockKind::kMutex, 0);                 // neither
  image.lock(0x7300, LockKind::kMutex, 5).generation = 2;  // no lock any more
  for (std::uint64_t i = 0; i < 50; ++i) image.lock(0x10000 + i, LockKind::kMutex, 1 + i);
  const Snapshot s = good(image);
  EXPECT_EQ(s.locks_known, 53u);
  ASSERT_EQ(s.locks.size(), 2 + kContendedLocksKept);
  EXPECT_EQ(s.locks[0].address, 0x7000u);
  EXPECT_EQ(s.locks[0].kind, LockKind::kRwlock);
  EXPECT_EQ(s.locks[0].last_holder, 77u);
  EXPECT_EQ(s.locks[1].address, 0x7100u);
  for (std::size_t i = 2; i < s.locks.size(); ++i) {
    EXPECT_GT(s.locks[i].contended, 50 - kContendedLocksKept);
  }
}

TEST(LedgerReader, CountersComeOutByName) {
  LedgerImage image;
  image.header().counters[k_holds_dropped] = 7;
  const Snapshot s = good(image);
  EXPECT_EQ(s.counters[k_holds_dropped], 7u);
  EXPECT_STREQ(counter_texts()[k_holds_dropped].name, "holds_dropped");
}

TEST(LedgerReader, OnlyTakenSlotsAreThreads) {
  LedgerImage image;
  image.thread(100, "").life = static_cast<std::uint32_t>(ThreadLife::kFree);
  ThreadSlot& starting = image.thread(0, "");
  starting.life = static_cast<std::uint32_t>(ThreadLife::kStarting);
  image.thread(102, "").life = 9;
  image.thread(103, "");
  image.thread(104, "").life = static_cast<std::uint32_t>(ThreadLife::kLeaving);
  const Snapshot s = good(image);
  ASSERT_EQ(s.threads.size(), 3u);
  EXPECT_EQ(s.threads[0].life, ThreadLife::kStarting);
  EXPECT_EQ(s.threads[0].slot, 1u);
  EXPECT_EQ(s.threads[1].tid, 103u);
  EXPECT_EQ(s.threads[2].life, ThreadLife::kLeaving);
  EXPECT_EQ(s.senseless, 1u);
}

// ---- lookups in a snapshot

TEST(HolderIndex, KnowsHoldersOfWhatIsHeldNow) {
  LedgerImage image;
  ThreadSlot& first = image.thread(100, "");
  LedgerImage::hold(first, 0x7000, kRwTrait | hold_trait::kShared);
  LedgerImage::hold(first, 0x8000, kMutexTrait, hold_phase::kGivenBack);
  ThreadSlot& second = image.thread(101, "");
  LedgerImage::hold(second, 0x9000, kMutexTrait);
  LedgerImage::hold(second, 0x7000, kRwTrait | hold_trait::kShared);
  LedgerImage::hold(second, 0x8000, kMutexTrait, hold_phase::kAcquiring);
  const Snapshot s = good(image);
  const HolderIndex index(s);
  ASSERT_EQ(index.of(0x7000).size(), 2u);
  EXPECT_EQ(index.of(0x7000)[0].thread, 0u);
  EXPECT_EQ(index.of(0x7000)[1].thread, 1u);
  EXPECT_EQ(index.of(0x7000)[1].hold, 1u);
  EXPECT_TRUE(index.of(0x8000).empty());
  EXPECT_EQ(index.of(0x9000).size(), 1u);
  EXPECT_TRUE(index.of(0xffff).empty());
}

// ---- the two ends of the ledger agree

bool granted(void*, std::size_t) {
  return true;
}

TEST(LedgerReader, ReadsWhatTheWriterWrites) {
  const Geometry geometry{16, 64, 1, 16, 64 * kPage, 2, 2, 64, 16, 16};
  const std::size_t bytes = Ledger::bytes(geometry);
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  const std::unique_ptr<void, Free> memory(std::aligned_alloc(kPage, bytes));
  std::memset(memory.get(), 0, bytes);
  Ledger ledger;
  ASSERT_TRUE(
      ledger.format(memory.get(), geometry, granted, {77, "writer", "0.1.0", 5'000, 6'000, 7'000}));
  ThreadSlot& slot = *ledger.claim_slot();
  slot.tid = 78;
  slot.life = static_cast<std::uint32_t>(ThreadLife::kLive);
  HoldStack stack(slot, &ledger);
  constexpr std::uint64_t kHolds = 500;
  for (std::uint64_t i = 0; i < kHolds; ++i) {
    stack.push({0x10000 + i * 64, 0x400000 + i, 0x7ffe0000, kMutexTrait}, hold_phase::kHeld, 9);
  }
  stack.remove(0x10000);                // the oldest
  stack.remove(0x10000 + 499 * 64);     // of the deep ones
  HoldStack::post(slot, 0x10000 + 64);  // released by another thread

  MemorySource source(static_cast<const std::byte*>(memory.get()), bytes);
  const LedgerReading result = read_ledger(source);
  ASSERT_EQ(result.problem, "");
  EXPECT_EQ(result.snapshot.pid, 77u);
  EXPECT_EQ(result.snapshot.program, "writer");
  EXPECT_EQ(result.snapshot.process_start, 7'000u);
  ASSERT_EQ(result.snapshot.threads.size(), 1u);
  const ThreadFact& thread = result.snapshot.threads[0];
  EXPECT_FALSE(thread.changing);
  std::set<std::uint64_t> locks;
  for (const HoldFact& hold : thread.holds) locks.insert(hold.lock);
  EXPECT_EQ(thread.holds.size(), kHolds - 3);
  EXPECT_EQ(locks.size(), kHolds - 3);
  EXPECT_FALSE(locks.contains(0x10000));
  EXPECT_FALSE(locks.contains(0x10000 + 64));
  EXPECT_FALSE(locks.contains(0x10000 + 499 * 64));
  EXPECT_EQ(result.snapshot.senseless, 0u);
}

}  // namespace
}  // namespace impasse
