// Defines the answer to one of the program's functions (a row of functions.def).
//
// The C++ name differs from the symbol's, because libc's headers declare most of these functions as
// never throwing: an answer must let a cancelled thread unwind through it, as libc's own does.
#pragma once

#include "interpose/hot_path.h"

// NOLINTNEXTLINE(cppcoreguidelines-macro-usage): declares a symbol
#define IMPASSE_ANSWER(result, name, params)                                                    \
  extern "C" __attribute__((visibility("default"))) result answer_##name params __asm__(#name); \
  result answer_##name params

namespace impasse {

// The lock at this address comes into being: whatever stood there is no more.
inline void lock_begins(std::uint64_t address) {
  if (lock_pages.may_hold_locks(address)) [[unlikely]]
    lock_gone(address);
}

// Destroyed, if libc agreed to it.
inline int lock_destroyed(std::uint64_t address, int answer) {
  if (answer != 0) return answer;
  lock_begins(address);
  if (ThreadSlot* const slot = current_slot;
      slot != nullptr && depth_of(slot->state.load(std::memory_order_relaxed)) != 0) {
    HoldStack(*slot, ledger()).remove(address);
  }
  return answer;
}

}  // namespace impasse
