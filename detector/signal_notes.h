// Whom a thread woke: each condition that it signalled and each semaphore that it posted, with the
// places of the program from which it did.
//
// Promises: only the owning thread writes its notes, also from a signal handler that interrupts a
// note in the making; a note is believed as long as the LockRecord that it names is in the same
// life, so an object that is born again at an address has no signallers yet. What finds no room is
// never silently missing: the thread counts as one that may have woken anybody
// (ThreadSlot::signals_lost). No allocation, no lock.
// Costs: a signal that was noted before some 20 instructions and no shared write, in each turn of
// the watchdog once some 40 more; a new one 50 to 300 ns.
#pragma once

#include <cstdint>

#include "detector/add_here.h"
#include "detector/ledger.h"
#include "detector/signal_moment.h"

namespace impasse {

// The records of objects' lives, by number: the ledger's. As long as there is no ledger a single
// one that never ends.
extern constinit std::atomic<const LockRecord*> noted_lives __attribute__((visibility("hidden")));
void note_lives_in(Ledger* ledger);

inline std::uint64_t signal_word(std::uint64_t pc, SignalKind kind) {
  return pc | std::uint64_t{static_cast<std::uint8_t>(kind)} << kTraitShift;
}
// Stands for both: that two pairs have the same one is as likely as that of two random numbers.
inline std::uint64_t signal_key(std::uint64_t object, std::uint64_t word) {
  return object + word * 0x9e37'79b9'7f4a'7c15;
}
inline std::uint64_t signal_hash(std::uint64_t key) {
  return key * 0x9e37'79b9'7f4a'7c15;
}
inline std::uint64_t inline_signal_place(std::uint64_t hash) {
  return hash >> 60;
}
static_assert(kInlineSignals == 1u << (64 - 60));

// Whether the note was made in the life that its object is in now.
inline bool still_holds(const SignalRecord& note) {
  const LockRecord& life =
      noted_lives.load(std::memory_order_relaxed)[note.record.load(std::memory_order_relaxed)];
  return life.generation.load(std::memory_order_relaxed) ==
         note.generation.load(std::memory_order_relaxed);
}

// The hot path. False: to be looked at, by note_signal().
[[gnu::always_inline]] inline bool note_signal_again(ThreadSlot& slot, std::uint64_t object,
                                                     std::uint64_t word) {
  const std::uint64_t key = signal_key(object, word);
  const std::uint64_t place = inline_signal_place(signal_hash(key));
  if (slot.signal_keys[place].load(std::memory_order_relaxed) !=
      key + signal_moment.value.load(std::memory_order_relaxed)) [[unlikely]] {
    return false;
  }
  add_here(slot.signals[place].count, 1);
  return true;
}

struct Signal {
  std::uint64_t object;
  std::uint64_t pc;
  SignalKind kind;
};

// `ledger` null: the thread is alone, and `slot` is no ledger's.
void note_signal(ThreadSlot& slot, Ledger* ledger, const Signal& signal, std::uint32_t tick);

// The slot's thread ends: who made it stands for it from now on.
void leave_signals_behind(const ThreadSlot& slot, Ledger& ledger);

// What is still valid of `from`, a slot of the current ledger or of none, for a slot of none.
void keep_signals(ThreadSlot& to, const ThreadSlot& from);
// The notes of `from`, a slot of no ledger, for one of this ledger.
void bring_signals(ThreadSlot& to, const ThreadSlot& from, Ledger& ledger);
// No object in [start, start + bytes) is any more, as far as a slot of no ledger is concerned.
void forget_signals(ThreadSlot& slot, std::uint64_t start, std::uint64_t bytes);

// ---- who is woken

// The bit of LockRecord::woken_sites that stands for this call site, or this wait_place().
inline std::uint64_t site_bit(std::uint64_t pc) {
  return std::uint64_t{1} << ((pc * 0x9e37'79b9'7f4a'7c15) >> 58);
}

// Tells places of the program apart that wait through the same call site (std::condition_variable's
// own): by how deep the stack is there.
inline std::uint64_t wait_place(std::uint64_t pc, std::uint64_t stack_depth) {
  return pc ^ (stack_depth << 40) ^ 0x5555'5555;
}
inline std::uint64_t wait_place(const ThreadSlot& slot, std::uint64_t pc,
                                std::uint64_t stack_pointer) {
  const std::uint64_t high = slot.stack_high.load(std::memory_order_relaxed);
  return high <= stack_pointer ? 0 : wait_place(pc, high - stack_pointer);
}

// An object that is waited for without a time limit, in the life that it is in as the wait begins.
class AwaitedLife {
 public:
  // `never_awaited`: the object itself says that nobody ever waited for it, so that what is known
  // of waits is of an earlier one at this address.
  AwaitedLife(Ledger& ledger, std::uint64_t object, LockKind kind, std::uint64_t pc,
              bool never_awaited);
  // The wait has ended well, and got what it was for.
  void woken(std::uint64_t pc, std::uint64_t place) const;
  // The wait has ended; whether for good shows when the thread waits the next time.
  void woken_perhaps(ThreadSlot& slot, std::uint64_t pc, std::uint64_t place) const;

 private:
  void mark(std::uint64_t bits) const;

  LockRecord* record_;
  std::uint32_t generation_ = 0;
  std::uint32_t number_ = 0;
};

// A thread is about to wait. Where it took or gave back a lock since it was woken last, it had
// found then what it waited for; where not, it only looked, and waits again.
void settle_last_wake(ThreadSlot& slot, const Ledger& ledger);

}  // namespace impasse
