// What a thread of the program tells of the order of its locks, of its own life, and of locks that
// are no more because the frame that they stood in is gone.
//
// Promises: keeps errno; no lock, no allocation; nothing is told when the option `order` is off.
// Costs: an order is told once by a thread and by no more than SeenSet::kThreadsPerPath threads,
// in 1.5 to 2 us where the memory for it is ready, and 2.5 to 4 us more for each page (of the locks
// and the copied stack, four at most) where it is not, as after a rest; a thread's beginning, end
// and join take some tens of nanoseconds.
#pragma once

#include <pthread.h>

#include <atomic>
#include <cstdint>

#include "detector/hold_stack.h"
#include "interpose/session.h"

namespace impasse {

// Once, before the program's first lock. Until then orders are wanted.
void want_orders(bool wanted);
extern constinit std::atomic<bool> orders_are_wanted __attribute__((visibility("hidden")));
inline bool orders_wanted() {
  return orders_are_wanted.load(std::memory_order_relaxed);
}

// For a path that is not, or no more, in the thread's own table: true when nothing need be told of
// it, which the table then knows. "No" says nothing; note_order() looks everywhere.
inline bool seen_after_all(ThreadSlot& slot, std::uint64_t path) {
  Ledger* const here = ledger();
  if (here != nullptr && orders_wanted() &&
      !here->known_orders().contains_at_once(path, slot.number.load(std::memory_order_relaxed),
                                             slot.order_phase.load(std::memory_order_relaxed))) {
    return false;
  }
  HoldStack(slot, here).remember(path);
  return true;
}

// The mutex of a condition wait will be taken again while other locks are held, at `site`.
void note_order_again(ThreadSlot& slot, std::uint64_t mutex, std::uint64_t site,
                      std::uint64_t stack_pointer);

// The slot's thread has begun, and this is it.
void note_birth(const ThreadSlot& slot, Ledger& ledger);
// ... is about to end; the locks on its stack are no more.
void note_end(const ThreadSlot& slot, Ledger& ledger);
// The calling thread has waited for the end of the thread that had this handle.
void note_join(pthread_t handle);

}  // namespace impasse
