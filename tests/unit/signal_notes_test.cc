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
#include "detector/page_filter.h"
#include "signal_scene.h"

namespace impasse {
namespace {

using test::Counts;
using test::notes_in;
using test::Place;
using test::TestLedger;
using SignalNotes = test::SignalScene;

std::set<Place> places_of(const Counts& counts) {
  std::set<Place> places;
  for (const auto& [place, count] : counts) places.insert(place);
  return places;
}

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

// A recognised signal is counted and no more; when it last came is looked at again in each turn.
TEST_F(SignalNotes, TheLastTimeIsThatOfTheTurn) {
  ThreadSlot& slot = thread(2, 1);
  const auto last = [&slot] {
    for (const SignalRecord& note : slot.signals) {
      if (note.object.load() == 0x7000) return note.tick.load();
    }
    return 0u;
  };
  signal(slot, 0x7000, kPc, SignalKind::kSignal, 5);
  signal(slot, 0x7000, kPc, SignalKind::kSignal, 5);
  EXPECT_TRUE(note_signal_again(slot, 0x7000, kPc));
  EXPECT_EQ(last(), 5u);
  renew_signal_moment();
  EXPECT_FALSE(note_signal_again(slot, 0x7000, kPc));
  signal(slot, 0x7000, kPc, SignalKind::kSignal, 6);
  EXPECT_TRUE(note_signal_again(slot, 0x7000, kPc));
  EXPECT_EQ(last(), 6u);
  EXPECT_EQ(notes_in(slot), (Counts{{{0x7000, signal_word(kPc, SignalKind::kSignal)}, 5}}));
}

// ... in the same turn.
TEST_F(SignalNotes, AThreadThatComesAfterAnotherRecognisesNothing) {
  ThreadSlot& first = thread(2, 1);
  for (int i = 0; i < 3; ++i) signal(first, 0x7000);
  ledger_->release_slot(first);
  ThreadSlot& second = thread(3, 1);
  ASSERT_EQ(&first, &second);
  signal(second, 0x7000);
  EXPECT_EQ(notes_in(second), (Counts{{{0x7000, signal_word(kPc, SignalKind::kSignal)}, 1}}));
}

// Two of an array that share a place, signalled from one call: their keys differ by as little as
// their addresses, and so many moments later the one must not be taken for the other.
TEST_F(SignalNotes, NoMomentMakesOneObjectOutOfTwo) {
  const auto place_of = [](std::uint64_t object) {
    return inline_signal_place(signal_hash(signal_key(object, kPc)));
  };
  ThreadSlot& slot = thread(2, 1);
  constexpr std::uint64_t kObject = 0x7000;
  std::uint64_t other = kObject + 8;
  while (place_of(other) != place_of(kObject)) other += 8;
  for (int i = 0; i < 2; ++i) signal(slot, other);  // noted, then recognised
  ASSERT_TRUE(note_signal_again(slot, other, kPc));
  for (std::uint64_t n = kObject; n < other; ++n) renew_signal_moment();
  EXPECT_FALSE(note_signal_again(slot, kObject, kPc));
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
  std::mt19937_64 random(5);
  std::set<Place> expected;
  // The lives of the objects of this loop end again and again, so that places are used anew.
  constexpr std::uint64_t kObjects = 20;
  // Room for all of them is there: a handler that interrupts its own thread while that makes room
  // is another subject.
  for (std::uint64_t n = 0; n < kObjects; ++n) signal(slot, 0x30'0000 + n * 48);
  for (std::uint64_t n = 0; n < kHandlerObjects; ++n)
    note_signal(slot, handler_ledger, {handler_object(n), 0x1000, SignalKind::kPost}, 1);
  ASSERT_NE(slot.more_signals_ready.load(), 0u);
  ASSERT_EQ(slot.signals_lost.load(), 0u);
  std::atomic<bool> over{false};
  std::thread interrupter([&over, target = pthread_self()] {
    while (!over.load()) pthread_kill(target, SIGUSR2);
  });
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

// The thread makes room just now, and nobody waits for oneself: that is said.
TEST_F(SignalNotes, ANoteWithinTheMakingOfRoomIsCountedAsLost) {
  ThreadSlot& slot = thread(2, 1);
  constexpr std::uint64_t kObject = 0x30'0000;
  signal(slot, kObject);
  const GrowthTurn turn(ledger_->growth());
  ASSERT_TRUE(turn);
  for (std::uint64_t n = 0; n <= kInlineSignals; ++n) signal(slot, kObject + n * 48);
  EXPECT_EQ(slot.more_signals_ready.load(), 0u);
  EXPECT_EQ(slot.signals_lost.load(), 1u);
  EXPECT_EQ(ledger_.counter(k_signals_dropped), 1u);
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
    return inline_signal_place(signal_hash(signal_key(object, signal_word(pc, kind))));
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

}  // namespace
}  // namespace impasse
