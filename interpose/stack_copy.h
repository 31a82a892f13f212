// Copies of the calling thread's own stack, for a thread that goes on after it told of something.
//
// Promises: bounded; no lock, no allocation. Costs: where the bounds of the stack are known, a
// memcpy; else (a fibre, a signal's own stack, a thread that libc did not make for us) one system
// call.
#pragma once

#include <cstddef>
#include <cstdint>

#include "detector/ledger.h"

namespace impasse {

// From the stack pointer `start` up, at most so many bytes, or up to the end of the stack. Returns
// how many.
std::uint64_t copy_own_stack(const ThreadSlot& slot, std::uint64_t start, std::uint8_t* to,
                             std::size_t bytes);

// How much that will be, at most.
std::size_t copyable_stack(const ThreadSlot& slot, std::uint64_t start, std::size_t bytes);

// Whether the address lies on the thread's stack. False where its bounds are not known.
inline bool on_stack_of(const ThreadSlot& slot, std::uint64_t address) {
  return address >= slot.stack_low.load(std::memory_order_relaxed) &&
         address < slot.stack_high.load(std::memory_order_relaxed);
}

// What is known of a new thread's stack before there is one: its size, and where it is if the
// program said so.
void plan_stack(ThreadSlot& slot, const void* attributes);
// In the new thread: the rest.
void enter_stack(ThreadSlot& slot);
// In the main thread.
void enter_main_stack(ThreadSlot& slot);

}  // namespace impasse
