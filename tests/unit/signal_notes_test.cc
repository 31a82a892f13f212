#include "detector/signal_notes.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "detector/lock_table.h"
#include "detector/own_ledger.h"
#include "detector/page_filter.h"
#include "test_ledger.h"

namespace impasse {
namespace {

using test::TestLedger;

struct Place {
  std::uint64_t object;
  std::uint64_t word;
  friend auto operator<=>(const Place&, const Place&) = default;
};
using Counts = std::map<Place, std::uint64_t>;

// What a slot says, as a reader would take it.
Counts notes_in(const ThreadSlot& slot) {
  Counts notes;
  const auto add = [&notes](const SignalRecord& note) {
    if (note.object.load() <= kNoteBeingWritten || !still_holds(note)) return;
    notes[{note.object.load(), note.site.load()}] += note.count.load();
  };
  for (const SignalRecord& note : slot.signals) add(note);
  if (slot.more_signals_ready.load() == 0) return notes;
  for (const SignalRecord& note : slot.more_signals) add(note);
  return notes;
}

std::set<Place> places_of(const Counts& counts) {
  std::set<Place> places;
  for (const auto& [place, count] : counts) places.insert(place);
  return places;
}

class SignalNotes : public ::testing::Test {
 protected:
  void SetUp() override {
    for (auto& count : lock_pages.count) count.store(0);
    note_lives_in(&*ledger_);
  }
  void TearDown() override { note_lives_in(nullptr); }

  static constexpr std::uint64_t kPc = 0x5555'0000'1000;

  // As the interposers do.
  void signal(ThreadSlot& slot, std::uint64_t object, std::uint64_t pc = kPc,
              SignalKind kind = SignalKind::kSignal, std::uint32_t tick = 1) {
    if (!note_signal_again(slot, object, signal_word(pc, kind), tick))
      note_signal(slot, &*ledger_, {object, pc, kind}, tick);
  }
  ThreadSlot& thread(std::uint32_t number, std::uint32_t maker) {
    ThreadSlot* const slot = ledger_->claim_slot();
    EXPECT_NE(slot, nullptr);
    slot->life.store(static_cast<std::uint32_t>(ThreadLife::kLive));
    slot->tid.store(1000 + number);
    slot->number.store(number);
    slot->maker.store(maker);
    return *slot;
  }
  std::uint32_t gone_maker(std::uint64_t object) {
    return table_.find(object)->gone_signallers_maker.load();
  }

  TestLedger ledger_;
  LockTable table_{*ledger_};
};

TEST_F(SignalNotes, CountsByObjectAndPlace) {
  ThreadSlot& slot = thread(2, 1);
  signal(slot, 0x7000, kPc, SignalKind::kSignal, 5);
  for (int i = 0; i < 9; ++i) signal(slot, 0x7000, kPc, SignalKind::kSignal, 6);
  signal(slot, 0x7000, kPc + 8, SignalKind::kBroadcast);
  signal(slot, 0x8000, kPc, SignalKind::kPost);
  const Counts expected{{{0x7000, signal_word(kPc, SignalKind::kSignal)}, 10},
                        {{0x7000, signal_word(kPc + 8, SignalKind::kBroadcast)}, 1},
                        {{0x8000, signal_word(kPc, SignalKind::kPost)}, 1}};
  EXPECT_EQ(notes_in(slot), expected);
  EXPECT_EQ(table_.find(0x8000)->traits.load() & lock_trait::kKindMask,
            static_cast<std::uint32_t>(LockKind::kSemaphore));
}

TEST_F(SignalNotes, AnObjectBornAgainHasNoSignallers) {
  ThreadSlot& slot = thread(2, 1);
  signal(slot, 0x7000);
  table_.end(0x7000);
  EXPECT_TRUE(notes_in(slot).empty());
  ASSERT_NE(table_.matters(0x7000, LockKind::kCondition, kPc), nullptr);
  EXPECT_TRUE(notes_in(slot).empty());
  signal(slot, 0x7000);
  EXPECT_EQ(notes_in(slot), (Counts{{{0x7000, signal_word(kPc, SignalKind::kSignal)}, 1}}));
}

TEST_F(SignalNotes, AnotherKindAtTheAddressIsAnotherLife) {
  ThreadSlot& slot = thread(2, 1);
  signal(slot, 0x7000);
  ASSERT_NE(table_.matters(0x7000, LockKind::kMutex, kPc), nullptr);
  EXPECT_TRUE(notes_in(slot).empty());
}

TEST_F(SignalNotes, RandomSignalsAndLivesAsInANaiveModel) {
  for (const unsigned objects : {3u, 20u, 60u, 400u}) {
    SCOPED_TRACE(objects);
    std::mt19937_64 random(objects);
    ThreadSlot& slot = thread(2, 1);
    Counts model;
    for (int step = 0; step < 40'000; ++step) {
      const std::uint64_t object = 0x10'0000 + random() % objects * 48;
      if (random() % 200 == 0) {
        table_.end(object);
        std::erase_if(model, [object](const auto& entry) { return entry.first.object == object; });
        continue;
      }
      const std::uint64_t pc = kPc + random() % 2 * 16;
      const auto kind = pc == kPc ? SignalKind::kSignal : SignalKind::kBroadcast;
      signal(slot, object, pc, kind);
      ++model[{object, signal_word(pc, kind)}];
      if (slot.signals_lost.load() != 0) break;
      if (step % 64 == 0) {
        ASSERT_EQ(notes_in(slot), model);
      }
    }
    if (slot.signals_lost.load() == 0) {
      EXPECT_EQ(notes_in(slot), model);
      EXPECT_LE(objects, 60u);
    } else {
      // All but the one that found no room.
      EXPECT_EQ(objects, 400u);
      EXPECT_GE(model.size(), kMoreSignals / 2);
      EXPECT_EQ(notes_in(slot).size() + 1, model.size());
      EXPECT_EQ(ledger_.counter(k_signals_dropped), 1u);
    }
    ledger_->release_slot(slot);
  }
}

TEST_F(SignalNotes, ThereIsRoomForObjectsThatComeAndGo) {
  ThreadSlot& slot = thread(2, 1);
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    signal(slot, 0x10'0000 + i * 48);
    if (i >= 40) table_.end(0x10'0000 + (i - 40) * 48);
  }
  EXPECT_EQ(slot.signals_lost.load(), 0u);
  EXPECT_EQ(notes_in(slot).size(), 40u);
}

TEST_F(SignalNotes, WithoutMemoryAThreadSaysThatItLost) {
  static bool full = false;
  TestLedger poor(kSmallGeometry, [](void*, std::size_t) { return !full; });
  note_lives_in(&*poor);
  ThreadSlot* const slot = poor->claim_slot();
  ASSERT_NE(LockTable(*poor).matters(0x7000, LockKind::kSemaphore, kPc), nullptr);
  full = true;
  for (std::uint64_t i = 0; i < 64; ++i)
    note_signal(*slot, &*poor, {0x10'0000 + i * 48, kPc, SignalKind::kPost}, 1);
  EXPECT_EQ(slot->signals_lost.load(), 1u);
  EXPECT_EQ(slot->more_signals_ready.load(), 0u);
  EXPECT_EQ(poor.counter(k_signals_dropped), 1u);
  // A thread that comes after it begins anew.
  poor->release_slot(*slot);
  EXPECT_EQ(poor->claim_slot(), slot);
  EXPECT_EQ(slot->signals_lost.load(), 0u);
  EXPECT_TRUE(notes_in(*slot).empty());
}

TEST_F(SignalNotes, ThreadsSignalWhileLivesEnd) {
  constexpr std::uint64_t kObjects = 24;
  const auto object = [](std::uint64_t n) { return 0x10'0000 + n * 64; };
  std::vector<ThreadSlot*> slots;
  for (std::uint32_t t = 0; t < 3; ++t) slots.push_back(&thread(2 + t, 1));
  std::vector<std::thread> threads;
  for (std::uint32_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(t);
      for (int i = 0; i < 20'000; ++i) signal(*slots[t], object(random() % kObjects));
    });
  }
  threads.emplace_back([&] {
    std::mt19937_64 random(99);
    for (int i = 0; i < 2'000; ++i) table_.end(object(random() % kObjects));
  });
  for (auto& thread : threads) thread.join();
  // Nobody ends anything now: one signal each, and every one of them is there.
  for (ThreadSlot* const slot : slots) {
    std::set<Place> expected;
    for (std::uint64_t n = 0; n < kObjects; ++n) {
      signal(*slot, object(n));
      expected.insert({object(n), signal_word(kPc, SignalKind::kSignal)});
    }
    EXPECT_EQ(places_of(notes_in(*slot)), expected);
    EXPECT_EQ(slot->signals_lost.load(), 0u);
  }
}

// ---- signal handlers

ThreadSlot* handler_slot = nullptr;
Ledger* handler_ledger = nullptr;
std::atomic<std::uint64_t> handler_rounds{0};
constexpr std::uint64_t kHandlerObjects = 30;

std::uint64_t handler_object(std::uint64_t n) {
  return 0x20'0000 + n % kHandlerObjects * 48;
}

void wake_in_handler(int) {
  const std::uint64_t n = handler_rounds.fetch_add(1);
  note_signal(*handler_slot, handler_ledger, {handler_object(n), 0x1000, SignalKind::kPost}, 1);
}

// A note that a handler makes in the middle of another must stay, and so must the other.
TEST_F(SignalNotes, NothingIsLostWhereAHandlerInterrupts) {
  ThreadSlot& slot = thread(2, 1);
  handler_slot = &slot;
  handler_ledger = &*ledger_;
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = wake_in_handler;
  ASSERT_EQ(sigaction(SIGUSR2, &action, &before), 0);
  std::atomic<bool> over{false};
  std::thread interrupter([&over, target = pthread_self()] {
    while (!over.load()) pthread_kill(target, SIGUSR2);
  });
  std::mt19937_64 random(5);
  std::set<Place> expected;
  // The lives of the objects of this loop end again and again, so that places are used anew.
  constexpr std::uint64_t kObjects = 20;
  for (int round = 0; round < 2'000 || handler_rounds.load() < 2 * kHandlerObjects; ++round) {
    expected.clear();
    for (std::uint64_t n = 0; n < kObjects; ++n) table_.end(0x30'0000 + n * 48);
    for (std::uint64_t n = 0; n < kObjects; ++n) {
      signal(slot, 0x30'0000 + n * 48);
      expected.insert({0x30'0000 + n * 48, signal_word(kPc, SignalKind::kSignal)});
    }
    std::set<Place> mine;
    for (const Place& place : places_of(notes_in(slot))) {
      if (place.object >= 0x30'0000) mine.insert(place);
    }
    ASSERT_EQ(mine, expected) << round;
  }
  over.store(true);
  interrupter.join();
  sigaction(SIGUSR2, &before, nullptr);
  for (std::uint64_t n = 0; n < kHandlerObjects; ++n)
    expected.insert({handler_object(n), signal_word(0x1000, SignalKind::kPost)});
  EXPECT_EQ(places_of(notes_in(slot)), expected);
  EXPECT_EQ(slot.signals_lost.load(), 0u);
}

#if !defined(__SANITIZE_THREAD__) && !defined(__SANITIZE_ADDRESS__)
std::uint64_t steps = 0;
std::uint64_t awaited_step = 0;
std::uint64_t step_object = 0;

void wake_at_step(int) {
  if (++steps != awaited_step) return;
  note_signal(*handler_slot, handler_ledger, {step_object, 0x1000, SignalKind::kSignal}, 1);
}

// At each instruction of a note, one after the other: the processor's trap flag makes every one
// interrupt.
TEST_F(SignalNotes, AHandlerMayComeAtEveryInstruction) {
  struct sigaction action {};
  struct sigaction before {};
  action.sa_handler = wake_at_step;
  ASSERT_EQ(sigaction(SIGTRAP, &action, &before), 0);
  handler_ledger = &*ledger_;
  constexpr std::uint64_t kObject = 0x30'0000;
  const auto place_of = [](std::uint64_t object, std::uint64_t pc, SignalKind kind) {
    return inline_signal_place(signal_hash(object, signal_word(pc, kind)));
  };
  std::uint64_t rival = kObject + 0x1000;
  while (place_of(rival, 0x1000, SignalKind::kSignal) !=
         place_of(kObject, kPc, SignalKind::kBroadcast)) {
    rival += 48;
  }
  // In the handler: the same object from another place of the program, or one that wants the very
  // place of the note that it interrupts.
  for (const std::uint64_t other : {kObject, rival}) {
    // The note is written by the last of its instructions; before them its record is found.
    constexpr std::uint64_t kWriting = 300;
    awaited_step = 0;
    for (bool over = false; !over; ++awaited_step) {
      ThreadSlot& slot = thread(2, 1);
      handler_slot = &slot;
      step_object = other;
      // Notes of earlier lives in many places, so that they are used again.
      for (std::uint64_t n = 0; n < 40; ++n) signal(slot, kObject + n * 48);
      for (std::uint64_t n = 0; n < 40; ++n) table_.end(kObject + n * 48);
      // Their records are there: making one is many instructions, of another subject.
      for (const std::uint64_t object : {kObject, other})
        ASSERT_NE(table_.matters(object, LockKind::kCondition, kPc), nullptr);
      steps = 0;
      __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
      note_signal(slot, handler_ledger, {kObject, kPc, SignalKind::kBroadcast}, 1);
      __asm__ volatile("pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
      const bool interrupted = awaited_step != 0 && steps >= awaited_step;
      over = awaited_step != 0 && !interrupted;
      std::set<Place> expected{{kObject, signal_word(kPc, SignalKind::kBroadcast)}};
      if (interrupted) expected.insert({other, signal_word(0x1000, SignalKind::kSignal)});
      ASSERT_EQ(places_of(notes_in(slot)), expected) << "at step " << awaited_step;
      table_.end(kObject);
      table_.end(other);
      ledger_->release_slot(slot);
      if (awaited_step == 0) {
        ASSERT_GT(steps, 100u);
        awaited_step = steps > kWriting ? steps - kWriting : 0;
      }
    }
  }
  sigaction(SIGTRAP, &before, nullptr);
}
#endif

// ---- before there is a ledger, and across a fork

TEST_F(SignalNotes, WhatWasSignalledAloneComesAlong) {
  note_lives_in(nullptr);
  auto solo = std::make_unique<ThreadSlot>();
  const auto alone = [&solo](std::uint64_t object) {
    if (!note_signal_again(*solo, object, signal_word(kPc, SignalKind::kSignal), 1))
      note_signal(*solo, nullptr, {object, kPc, SignalKind::kSignal}, 1);
  };
  for (int i = 0; i < 3; ++i) alone(0x7000);
  alone(0x9000);
  EXPECT_EQ(notes_in(*solo).size(), 2u);
  forget_signals(*solo, 0x8ff0, 0x20);
  note_lives_in(&*ledger_);
  EXPECT_TRUE(notes_in(*solo).empty());  // not as they are
  ThreadSlot& slot = thread(1, 0);
  bring_signals(slot, *solo, *ledger_);
  EXPECT_EQ(notes_in(slot), (Counts{{{0x7000, signal_word(kPc, SignalKind::kSignal)}, 3}}));
  EXPECT_EQ(slot.signals_lost.load(), 0u);
}

TEST_F(SignalNotes, WhoSignalsTooMuchAloneIsNotTrustedLater) {
  note_lives_in(nullptr);
  auto solo = std::make_unique<ThreadSlot>();
  for (std::uint64_t i = 0; i < 100; ++i)
    note_signal(*solo, nullptr, {0x7000 + i * 64, kPc, SignalKind::kSignal}, 1);
  note_lives_in(&*ledger_);
  ThreadSlot& slot = thread(1, 0);
  bring_signals(slot, *solo, *ledger_);
  EXPECT_EQ(slot.signals_lost.load(), 1u);
}

TEST_F(SignalNotes, AChildKeepsWhatItsThreadSignalled) {
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

TEST_F(SignalNotes, TheMakerStandsForThreadsThatEnded) {
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

TEST_F(SignalNotes, WhoLostSomeLeavesTheDoubtToItsMaker) {
  ThreadSlot& main = thread(1, 0);
  ThreadSlot& maker = thread(2, 1);
  ThreadSlot& ended = thread(3, 2);
  ended.signals_lost.store(1);
  leave_signals_behind(ended, *ledger_);
  EXPECT_EQ(maker.signals_lost.load(), 1u);
  EXPECT_EQ(main.signals_lost.load(), 0u);
}

TEST_F(SignalNotes, TheLastOfAMakerThatIsGoneFallsToTheMainThread) {
  ThreadSlot& main = thread(1, 0);
  ThreadSlot& other = thread(5, 1);
  ThreadSlot& ended = thread(3, 2);
  ended.signals_lost.store(1);
  leave_signals_behind(ended, *ledger_);
  EXPECT_EQ(main.signals_lost.load(), 1u);
  EXPECT_EQ(other.signals_lost.load(), 0u);
}

// ---- who is woken

TEST_F(SignalNotes, AWaitThatEndsWellMarksItsPlace) {
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
TEST_F(SignalNotes, AWakeCountsWhenTheThreadGoesOnToSomethingElse) {
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

TEST_F(SignalNotes, AnObjectThatEndedMeanwhileIsNotMarked) {
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

TEST_F(SignalNotes, AReaderSeesThoseOfWhatIsWaitedFor) {
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
