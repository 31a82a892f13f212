// Threads of a ledger that note whom they wake, for tests.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "detector/lock_table.h"
#include "detector/page_filter.h"
#include "detector/signal_notes.h"
#include "test_ledger.h"

namespace impasse::test {

struct Place {
  std::uint64_t object;
  std::uint64_t word;
  friend auto operator<=>(const Place&, const Place&) = default;
};
using Counts = std::map<Place, std::uint64_t>;

// What a slot says, as a reader would take it.
inline Counts notes_in(const ThreadSlot& slot) {
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

class SignalScene : public ::testing::Test {
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
    if (!note_signal_again(slot, object, signal_word(pc, kind)))
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

}  // namespace impasse::test
