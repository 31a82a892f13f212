// Notes of signals across the lives of those who make them and of what they are about.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>

#include "detector/own_ledger.h"
#include "detector/signal_notes.h"
#include "signal_scene.h"

namespace impasse {
namespace {

using test::Counts;
using test::notes_in;
using SignalLives = test::SignalScene;

// ---- before there is a ledger, and across a fork

TEST_F(SignalLives, WhatWasSignalledAloneComesAlong) {
  note_lives_in(nullptr);
  auto solo = std::make_unique<ThreadSlot>();
  const auto alone = [&solo](std::uint64_t object) {
    if (!note_signal_again(*solo, object, signal_word(kPc, SignalKind::kSignal)))
      note_signal(*solo, nullptr, {object, kPc, SignalKind::kSignal}, 1);
  };
  for (int i = 0; i < 3; ++i) alone(0x7000);
  alone(0x9000);
  EXPECT_EQ(notes_in(*solo).size(), 2u);
  forget_signals(*solo, 0x8ff0, 0x20);
  EXPECT_EQ(notes_in(*solo).size(), 1u);
  for (int i = 0; i < 2; ++i) alone(0x9000);  // born again
  EXPECT_EQ(notes_in(*solo).size(), 2u);
  forget_signals(*solo, 0x8ff0, 0x20);
  note_lives_in(&*ledger_);
  EXPECT_TRUE(notes_in(*solo).empty());  // not as they are
  ThreadSlot& slot = thread(1, 0);
  bring_signals(slot, *solo, *ledger_);
  EXPECT_EQ(notes_in(slot), (Counts{{{0x7000, signal_word(kPc, SignalKind::kSignal)}, 3}}));
  EXPECT_EQ(slot.signals_lost.load(), 0u);
}

TEST_F(SignalLives, WhoSignalsTooMuchAloneIsNotTrustedLater) {
  note_lives_in(nullptr);
  auto solo = std::make_unique<ThreadSlot>();
  for (std::uint64_t i = 0; i < 100; ++i)
    note_signal(*solo, nullptr, {0x7000 + i * 64, kPc, SignalKind::kSignal}, 1);
  note_lives_in(&*ledger_);
  ThreadSlot& slot = thread(1, 0);
  bring_signals(slot, *solo, *ledger_);
  EXPECT_EQ(slot.signals_lost.load(), 1u);
}

TEST_F(SignalLives, AChildKeepsWhatItsThreadSignalled) {
  ThreadSlot& slot = thread(2, 1);
  signal(slot, 0x7000);
  signal(slot, 0x7000);
  signal(slot, 0x8000);
  table_.end(0x8000);
  auto kept = std::make_unique<ThreadSlot>();
  keep_signals(*kept, slot);
  note_lives_in(nullptr);
  const Counts expected{{{0x7000, signal_word(kPc, SignalKind::kSignal)}, 2}};
  EXPECT_EQ(notes_in(*kept), expected);
  auto solo = std::make_unique<ThreadSlot>();
  keep_signals(*solo, *kept);
  EXPECT_EQ(notes_in(*solo), expected);
  EXPECT_EQ(solo->signals_lost.load(), 0u);
}

// ---- threads that end

TEST_F(SignalLives, TheMakerStandsForThreadsThatEnded) {
  ThreadSlot& first = thread(2, 1);
  ThreadSlot& second = thread(3, 1);
  ThreadSlot& third = thread(4, 2);
  ThreadSlot& main = thread(1, 0);
  for (ThreadSlot* slot : {&first, &second, &third}) signal(*slot, 0x7000);
  signal(first, 0x8000);
  signal(second, 0x9000);
  signal(main, 0xa000);
  table_.end(0x8000);
  ASSERT_NE(table_.matters(0x8000, LockKind::kCondition, kPc), nullptr);
  leave_signals_behind(first, *ledger_);
  EXPECT_EQ(gone_maker(0x7000), 1u);
  EXPECT_EQ(gone_maker(0x8000), 0u);  // another life
  leave_signals_behind(second, *ledger_);
  EXPECT_EQ(gone_maker(0x7000), 1u);
  EXPECT_EQ(gone_maker(0x9000), 1u);
  leave_signals_behind(third, *ledger_);
  EXPECT_EQ(gone_maker(0x7000), kSeveralMakers);
  leave_signals_behind(main, *ledger_);
  EXPECT_EQ(gone_maker(0xa000), kSeveralMakers);
}

TEST_F(SignalLives, WhoLostSomeLeavesTheDoubtToItsMaker) {
  ThreadSlot& main = thread(1, 0);
  ThreadSlot& maker = thread(2, 1);
  ThreadSlot& ended = thread(3, 2);
  ended.signals_lost.store(1);
  leave_signals_behind(ended, *ledger_);
  EXPECT_EQ(maker.signals_lost.load(), 1u);
  EXPECT_EQ(main.signals_lost.load(), 0u);
}

TEST_F(SignalLives, TheLastOfAMakerThatIsGoneFallsToTheMainThread) {
  ThreadSlot& main = thread(1, 0);
  ThreadSlot& other = thread(5, 1);
  ThreadSlot& ended = thread(3, 2);
  ended.signals_lost.store(1);
  leave_signals_behind(ended, *ledger_);
  EXPECT_EQ(main.signals_lost.load(), 1u);
  EXPECT_EQ(other.signals_lost.load(), 0u);
}

// ---- who is woken

TEST_F(SignalLives, AWaitThatEndsWellMarksItsPlace) {
  const AwaitedLife life(*ledger_, 0x7000, LockKind::kCondition, kPc, false);
  const LockRecord* const record = table_.find(0x7000);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(record->woken_sites.load(), 0u);
  life.woken(kPc, 0);
  EXPECT_EQ(record->woken_sites.load(), site_bit(kPc));
  life.woken(kPc + 5, 0);
  EXPECT_EQ(record->woken_sites.load(), site_bit(kPc) | site_bit(kPc + 5));
  life.woken(kPc, wait_place(kPc, 0x120));
  EXPECT_EQ(record->woken_sites.load(),
            site_bit(kPc) | site_bit(kPc + 5) | site_bit(wait_place(kPc, 0x120)));
  // The object says that it is new, though nobody told of its end.
  const AwaitedLife next(*ledger_, 0x7000, LockKind::kCondition, kPc, true);
  EXPECT_EQ(record->woken_sites.load(), 0u);
}

// Woken by a broadcast that was for others, it looks and waits again; that proves nothing.
TEST_F(SignalLives, AWakeCountsWhenTheThreadGoesOnToSomethingElse) {
  const std::uint64_t place = wait_place(kPc, 0x120);
  ThreadSlot& slot = thread(3, 1);
  const AwaitedLife life(*ledger_, 0x7000, LockKind::kCondition, kPc, false);
  const LockRecord* const record = table_.find(0x7000);
  life.woken_perhaps(slot, kPc, place);
  settle_last_wake(slot, *ledger_);
  EXPECT_EQ(record->woken_sites.load(), site_bit(kPc));
  life.woken_perhaps(slot, kPc, place);
  slot.state.fetch_add(kStateStep);  // it gave back a lock
  settle_last_wake(slot, *ledger_);
  EXPECT_EQ(record->woken_sites.load(), site_bit(kPc) | site_bit(place));
  // Of an object that is no more by then nothing is known.
  life.woken_perhaps(slot, kPc, place);
  slot.state.fetch_add(kStateStep);
  table_.end(0x7000);
  const AwaitedLife other(*ledger_, 0x7777'0000, LockKind::kCondition, kPc, false);
  settle_last_wake(slot, *ledger_);
  EXPECT_EQ(table_.find(0x7777'0000)->woken_sites.load(), 0u);
}

TEST_F(SignalLives, AnObjectThatEndedMeanwhileIsNotMarked) {
  const AwaitedLife life(*ledger_, 0x7000, LockKind::kSemaphore, kPc, false);
  table_.end(0x7000);
  const AwaitedLife other(*ledger_, 0x7777'0000, LockKind::kSemaphore, kPc, false);
  life.woken(kPc, 0);  // the record serves the other one now
  EXPECT_EQ(table_.find(0x7777'0000)->woken_sites.load(), 0u);
}

// ---- what a reader makes of it

const ThreadFact* fact_of(const Snapshot& snapshot, std::uint32_t number) {
  for (const ThreadFact& thread : snapshot.threads) {
    if (thread.number == number) return &thread;
  }
  return nullptr;
}

TEST_F(SignalLives, AReaderSeesThoseOfWhatIsWaitedFor) {
  ThreadSlot& waiter = thread(2, 1);
  ThreadSlot& busy = thread(3, 1);
  const AwaitedLife life(*ledger_, 0x7000, LockKind::kCondition, kPc, false);
  life.woken(kPc, 0);
  waiter.wait.object.store(0x7000);
  waiter.wait.site.store(kPc | std::uint64_t{static_cast<std::uint8_t>(WaitKind::kCondition)}
                                   << kTraitShift);
  waiter.wait.sequence.store(1);
  for (int i = 0; i < 4; ++i) signal(busy, 0x7000, kPc, SignalKind::kBroadcast, 77);
  for (std::uint64_t i = 0; i < 40; ++i) signal(busy, 0x9000 + i * 64);  // nobody waits for these
  signal(busy, 0x7000, kPc + 99, SignalKind::kSignal, 78);

  Snapshot s = read_own_ledger(*ledger_).snapshot;
  const ThreadFact* fact = fact_of(s, 3);
  ASSERT_NE(fact, nullptr);
  ASSERT_EQ(fact->signals.size(), 2u);
  const auto broadcast =
      std::find_if(fact->signals.begin(), fact->signals.end(),
                   [](const auto& f) { return f.kind == SignalKind::kBroadcast; });
  ASSERT_NE(broadcast, fact->signals.end());
  EXPECT_EQ(broadcast->object, 0x7000u);
  EXPECT_EQ(broadcast->site, kPc);
  EXPECT_EQ(broadcast->count, 4u);
  EXPECT_EQ(broadcast->tick, 77u);
  EXPECT_FALSE(fact->signals_lost);
  ASSERT_EQ(s.locks.size(), 1u);
  EXPECT_EQ(s.locks[0].kind, LockKind::kCondition);
  EXPECT_EQ(s.locks[0].woken_sites, site_bit(kPc));

  leave_signals_behind(busy, *ledger_);
  s = read_own_ledger(*ledger_).snapshot;
  EXPECT_EQ(s.locks[0].gone_signallers_maker, 1u);

  // Interrupted in the middle of a note: that may be of any object.
  busy.signals[0].object.store(kNoteBeingWritten);
  s = read_own_ledger(*ledger_).snapshot;
  EXPECT_TRUE(fact_of(s, 3)->signals_lost);

  table_.end(0x7000);
  s = read_own_ledger(*ledger_).snapshot;
  EXPECT_TRUE(fact_of(s, 3)->signals.empty());
  EXPECT_TRUE(s.locks.empty());
}

}  // namespace
}  // namespace impasse
