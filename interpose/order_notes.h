// What a thread of the program tells of the order of its locks, of its own life, and of locks that
// are no more because the frame that they stood in is gone.
//
// Promises: keeps errno; no lock, no allocation; nothing is told when the option `order` is off.
// Costs: an order is told once by a thread and by no more than SeenSet::kThreadsPerPath threads,
// in 1.5 to 2 us where the memory for it is ready, and 2.5 us more for each page (of the locks and
// the copied stack, four at most) where it is not; a thread's beginning, end and join take some
// tens of nanoseconds.
#pragma once

#include <pthread.h>

#include <cstdint>

#include "detector/ledger.h"

namespace impasse {

// Once, before the program's first lock. Until then orders are wanted.
void want_orders(bool wanted);
bool orders_wanted();

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
