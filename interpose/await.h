// An untimed wait for what others give: that it ended well is remembered, by the place it was made
// from (LockRecord::woken_sites).
#pragma once

#include <optional>

#include "detector/signal_notes.h"
#include "interpose/current.h"
#include "interpose/session.h"
#include "interpose/stack_copy.h"

namespace impasse {

// `never_awaited`: as for AwaitedLife.
inline std::optional<AwaitedLife> await_life(ThreadSlot& slot, std::uint64_t object, LockKind kind,
                                             std::uint64_t pc, bool never_awaited) {
  Ledger* const here = ledger();
  if (here == nullptr) return std::nullopt;
  if (on_stack_of(slot, object)) {
    // So that the end of the stack finds it.
    const std::uint64_t lowest = slot.lowest_stack_lock.load(std::memory_order_relaxed);
    if (lowest == 0 || object < lowest)
      slot.lowest_stack_lock.store(object, std::memory_order_relaxed);
  }
  const ErrnoKept errno_kept;
  return AwaitedLife(*here, object, kind, pc, never_awaited);
}

}  // namespace impasse
