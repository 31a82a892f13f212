#include "detector/signal_notes.h"

#include "detector/lock_table.h"
#include "detector/touched.h"

namespace impasse {
namespace {

// Even, and far beyond what a record of a ledger comes to.
constexpr std::uint32_t kSoloGeneration = 0xffff'fffe;
constinit LockRecord solo_life{.address = 0,
                               .generation = kSoloGeneration,
                               .traits = 0,
                               .first_site = 0,
                               .contended = 0,
                               .waited_ns = 0,
                               .last_holder = 0,
                               .next_free = 0,
                               .gone_signallers_maker = 0,
                               .woken_sites = 0};

static_assert((kMoreSignals & (kMoreSignals - 1)) == 0);

// A signal with the life that its object is in.
struct Note {
  std::uint64_t object;
  std::uint64_t word;
  std::uint32_t record;
  std::uint32_t generation;
  std::uint32_t tick;
};

LockKind object_kind(SignalKind kind) {
  return kind == SignalKind::kPost ? LockKind::kSemaphore : LockKind::kCondition;
}

bool is_there(const SignalRecord& place) {
  return place.object.load(std::memory_order_relaxed) > kNoteBeingWritten;
}

// Where the note stands in its own place, and its object is in the same life: from now on it is
// recognised by its key, until something changes.
bool add_again(ThreadSlot& slot, std::uint64_t object, std::uint64_t word, std::uint32_t tick) {
  const std::uint64_t moment = signal_moment.value.load(std::memory_order_acquire);
  const std::uint64_t key = signal_key(object, word);
  const std::uint64_t place = inline_signal_place(signal_hash(key));
  SignalRecord& note = slot.signals[place];
  if (note.object.load(std::memory_order_relaxed) != object ||
      note.site.load(std::memory_order_relaxed) != word || !still_holds(note)) {
    return false;
  }
  add_here(note.count, 1);
  note.tick.store(tick, std::memory_order_relaxed);
  slot.signal_keys[place].store(key + moment, std::memory_order_relaxed);
  return true;
}

bool add_to(SignalRecord& place, const Note& note) {
  if (place.object.load(std::memory_order_relaxed) != note.object ||
      place.site.load(std::memory_order_relaxed) != note.word ||
      place.record.load(std::memory_order_relaxed) != note.record ||
      place.generation.load(std::memory_order_relaxed) != note.generation) {
    return false;
  }
  add_here(place.count, 1);
  place.tick.store(note.tick, std::memory_order_relaxed);
  return true;
}

// False: the place has a note that still holds, or that a signal handler has interrupted.
bool put_in(SignalRecord& place, const Note& note, std::uint32_t count) {
  std::uint64_t there = place.object.load(std::memory_order_relaxed);
  if (there == kNoteBeingWritten || (there != 0 && still_holds(place))) return false;
  if (!place.object.compare_exchange_strong(there, kNoteBeingWritten, std::memory_order_acq_rel))
    return false;
  // A signal handler may have come between the look and this, and left a note of the same object.
  if (there != 0 && still_holds(place)) {
    place.object.store(there, std::memory_order_release);
    return false;
  }
  place.site.store(note.word, std::memory_order_relaxed);
  place.record.store(note.record, std::memory_order_relaxed);
  place.generation.store(note.generation, std::memory_order_relaxed);
  place.count.store(count, std::memory_order_relaxed);
  place.tick.store(note.tick, std::memory_order_relaxed);
  place.object.store(note.object, std::memory_order_release);
  return true;
}

bool more_is_ready(const ThreadSlot& slot) {
  return slot.more_signals_ready.load(std::memory_order_acquire) != 0;
}

bool make_more_ready(ThreadSlot& slot, Ledger& ledger) {
  if (more_is_ready(slot)) return true;
  const GrowthTurn turn(ledger.growth());
  if (!turn || !ledger.growth().reserve(slot.more_signals, sizeof slot.more_signals)) return false;
  slot.more_signals_ready.store(1, std::memory_order_release);
  return true;
}

// The places that a note may stand in beyond the inline one; visit() says whether it was the last.
template <typename Visit>
bool any_more(ThreadSlot& slot, std::uint64_t hash, Visit visit) {
  for (std::uint64_t i = 0; i < kMoreSignals; ++i) {
    if (visit(slot.more_signals[((hash >> 32) + i) % kMoreSignals])) return true;
  }
  return false;
}

void lose(ThreadSlot& slot, Ledger* ledger) {
  if (slot.signals_lost.exchange(1, std::memory_order_relaxed) == 0 && ledger != nullptr)
    ledger->count(k_signals_dropped);
}

void write_down(ThreadSlot& slot, Ledger* ledger, const Note& note, std::uint32_t count) {
  const std::uint64_t hash = signal_hash(signal_key(note.object, note.word));
  SignalRecord& first = slot.signals[inline_signal_place(hash)];
  const auto same = [&note](SignalRecord& place) { return add_to(place, note); };
  if (same(first) || (more_is_ready(slot) && any_more(slot, hash, same))) return;
  if (put_in(first, note, count)) return;
  // Who has lost some counts as having woken anybody: nothing is gained by one more.
  if (slot.signals_lost.load(std::memory_order_relaxed) != 0) return;
  const auto room = [&](SignalRecord& place) { return put_in(place, note, count); };
  if (ledger == nullptr || !make_more_ready(slot, *ledger) || !any_more(slot, hash, room))
    lose(slot, ledger);
}

void write_down(ThreadSlot& slot, Ledger& ledger, const Signal& signal, std::uint32_t tick,
                std::uint32_t count) {
  LockTable lives(ledger);
  const LockRecord* const life = lives.matters(signal.object, object_kind(signal.kind), signal.pc);
  if (life == nullptr) {
    lose(slot, &ledger);
    return;
  }
  const Note note{signal.object, signal_word(signal.pc, signal.kind), lives.number_of(*life),
                  life->generation.load(std::memory_order_acquire), tick};
  write_down(slot, &ledger, note, count);
}

template <typename Visit>
void each_valid(const ThreadSlot& slot, Visit visit) {
  for (const SignalRecord& note : slot.signals) {
    if (is_there(note) && still_holds(note)) visit(note);
  }
  if (!more_is_ready(slot)) return;
  for (const SignalRecord& note : slot.more_signals) {
    if (is_there(note) && still_holds(note)) visit(note);
  }
}

// An ended thread that had lost some may have woken anybody, and so may who stands for it.
void leave_doubt(const ThreadSlot& slot, Ledger& ledger) {
  const std::uint32_t maker = slot.maker.load(std::memory_order_relaxed);
  ThreadSlot* heir = nullptr;
  const std::uint64_t used = ledger.slots_used();
  for (std::uint64_t i = 0; i < used; ++i) {
    ThreadSlot& other = ledger.slot(i);
    const std::uint32_t number = other.number.load(std::memory_order_relaxed);
    if (&other == &slot || number == 0) continue;
    if (number == maker || heir == nullptr || number == Ledger::kMainThread) heir = &other;
    if (number == maker) break;
  }
  if (heir != nullptr) heir->signals_lost.store(1, std::memory_order_relaxed);
}

}  // namespace

constinit std::atomic<const LockRecord*> noted_lives{&solo_life};

void note_lives_in(Ledger* ledger) {
  noted_lives.store(ledger == nullptr ? &solo_life : &ledger->lock_record(0),
                    std::memory_order_release);
  renew_signal_moment();
}

void note_signal(ThreadSlot& slot, Ledger* ledger, const Signal& signal, std::uint32_t tick) {
  const std::uint64_t word = signal_word(signal.pc, signal.kind);
  if (add_again(slot, signal.object, word, tick)) return;
  if (ledger == nullptr) {
    const Note note{signal.object, word, 0, kSoloGeneration, tick};
    write_down(slot, nullptr, note, 1);
  } else {
    write_down(slot, *ledger, signal, tick, 1);
  }
}

void leave_signals_behind(const ThreadSlot& slot, Ledger& ledger) {
  const std::uint32_t maker = slot.maker.load(std::memory_order_relaxed);
  const std::uint32_t mark = maker == 0 ? kSeveralMakers : maker;
  each_valid(slot, [&](const SignalRecord& note) {
    auto& gone =
        ledger.lock_record(note.record.load(std::memory_order_relaxed)).gone_signallers_maker;
    std::uint32_t known = 0;
    if (!gone.compare_exchange_strong(known, mark, std::memory_order_relaxed) && known != mark)
      gone.store(kSeveralMakers, std::memory_order_relaxed);
  });
  if (slot.signals_lost.load(std::memory_order_relaxed) != 0) leave_doubt(slot, ledger);
}

void keep_signals(ThreadSlot& to, const ThreadSlot& from) {
  touch_all(to, from);
  bool lost = from.signals_lost.load(std::memory_order_relaxed) != 0;
  each_valid(from, [&](const SignalRecord& note) {
    const Note kept{note.object.load(std::memory_order_relaxed),
                    note.site.load(std::memory_order_relaxed), 0, kSoloGeneration,
                    note.tick.load(std::memory_order_relaxed)};
    SignalRecord& place =
        to.signals[inline_signal_place(signal_hash(signal_key(kept.object, kept.word)))];
    // Its own place is free, unless it stood among the further ones.
    if (place.object.load(std::memory_order_relaxed) != 0) {
      lost = true;
      return;
    }
    place.site.store(kept.word, std::memory_order_relaxed);
    place.record.store(kept.record, std::memory_order_relaxed);
    place.generation.store(kept.generation, std::memory_order_relaxed);
    place.count.store(note.count.load(std::memory_order_relaxed), std::memory_order_relaxed);
    place.tick.store(kept.tick, std::memory_order_relaxed);
    place.object.store(kept.object, std::memory_order_release);
  });
  to.signals_lost.store(lost ? 1 : 0, std::memory_order_relaxed);
}

void bring_signals(ThreadSlot& to, const ThreadSlot& from, Ledger& ledger) {
  touch_all(to, from);
  if (from.signals_lost.load(std::memory_order_relaxed) != 0) lose(to, &ledger);
  for (const SignalRecord& note : from.signals) {
    if (!is_there(note)) continue;
    const std::uint64_t word = note.site.load(std::memory_order_relaxed);
    const Signal signal{note.object.load(std::memory_order_relaxed), word & kSiteMask,
                        static_cast<SignalKind>(word >> kTraitShift)};
    write_down(to, ledger, signal, note.tick.load(std::memory_order_relaxed),
               note.count.load(std::memory_order_relaxed));
  }
}

void forget_signals(ThreadSlot& slot, std::uint64_t start, std::uint64_t bytes) {
  bool any = false;
  for (SignalRecord& note : slot.signals) {
    const std::uint64_t object = note.object.load(std::memory_order_relaxed);
    if (object <= kNoteBeingWritten || object - start >= bytes) continue;
    note.object.store(0, std::memory_order_release);
    any = true;
  }
  if (any) renew_signal_moment();
}

AwaitedLife::AwaitedLife(Ledger& ledger, std::uint64_t object, LockKind kind, std::uint64_t pc,
                         bool never_awaited) {
  LockTable lives(ledger);
  record_ = lives.matters(object, kind, pc);
  if (record_ == nullptr) return;
  generation_ = record_->generation.load(std::memory_order_acquire);
  number_ = lives.number_of(*record_);
  if (never_awaited && record_->woken_sites.load(std::memory_order_relaxed) != 0)
    record_->woken_sites.store(0, std::memory_order_relaxed);
}

void AwaitedLife::mark(std::uint64_t bits) const {
  if (record_ == nullptr || record_->generation.load(std::memory_order_relaxed) != generation_)
    return;
  if ((record_->woken_sites.load(std::memory_order_relaxed) & bits) != bits)
    record_->woken_sites.fetch_or(bits, std::memory_order_relaxed);
}

void AwaitedLife::woken(std::uint64_t pc, std::uint64_t place) const {
  mark(site_bit(pc) | (place == 0 ? 0 : site_bit(place)));
}

void AwaitedLife::woken_perhaps(ThreadSlot& slot, std::uint64_t pc, std::uint64_t place) const {
  mark(site_bit(pc));
  if (record_ == nullptr || place == 0) return;
  slot.woken_place.store(place, std::memory_order_relaxed);
  slot.woken_state.store(slot.state.load(std::memory_order_relaxed), std::memory_order_relaxed);
  slot.woken_life.store(std::uint64_t{number_} << 32 | generation_, std::memory_order_relaxed);
}

void settle_last_wake(ThreadSlot& slot, const Ledger& ledger) {
  const std::uint64_t life = slot.woken_life.exchange(0, std::memory_order_relaxed);
  if (life == 0 || slot.woken_state.load(std::memory_order_relaxed) ==
                       slot.state.load(std::memory_order_relaxed)) {
    return;
  }
  LockRecord& record = ledger.lock_record(life >> 32);
  const std::uint64_t bit = site_bit(slot.woken_place.load(std::memory_order_relaxed));
  if (record.generation.load(std::memory_order_relaxed) != static_cast<std::uint32_t>(life)) return;
  if ((record.woken_sites.load(std::memory_order_relaxed) & bit) == 0)
    record.woken_sites.fetch_or(bit, std::memory_order_relaxed);
}

}  // namespace impasse
