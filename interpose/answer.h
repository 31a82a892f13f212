// Defines the answer to one of the program's functions (a row of functions.def).
//
// The C++ name differs from the symbol's, because libc's headers declare most of these functions as
// never throwing: an answer must let a cancelled thread unwind through it, as libc's own does.
#pragma once

#include "interpose/counted_path.h"

// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): declares a symbol
#define IMPASSE_ANSWER(result, name, params)                                                    \
  extern "C" __attribute__((visibility("default"))) result answer_##name params __asm__(#name); \
  result answer_##name params

namespace impasse {

// The same of what nobody holds: a condition, a semaphore, a barrier.
inline void object_renewed(std::uint64_t address) {
  if (lock_pages.may_hold_locks(address) || ledger() == nullptr) [[unlikely]]
    lock_gone(address);
}

// The lock at this address comes into being, or is no more: whatever was known of it no longer
// holds.
inline void lock_renewed(std::uint64_t address) {
  if (lock_pages.may_hold_locks(address)) [[unlikely]]
    lock_gone(address);
  ThreadSlot* const slot = current_slot;
  if (slot != nullptr && depth_of(slot->state.load(std::memory_order_relaxed)) != 0) {
    while (HoldStack(*slot, ledger()).remove(address)) {
    }
  }
}

// After destroy, if libc agreed to it.
inline int lock_destroyed(std::uint64_t address, int answer) {
  if (answer == 0) lock_renewed(address);
  return answer;
}

}  // namespace impasse
