// A thread that has made another is in a new phase of its life: what it did before comes before all
// that the other does, what it does from now on may meet it. So it tells its orders once more,
// should it meet them again. (Joining opens nothing: what it did before the join could meet more.)
//
// Promises: any program thread, for itself; no call. The first phases begin at once; later ones
// when our own thread says so, once a second at most: who makes a thread for each request would
// tell all the time. Costs: 8 KiB written, in pthread_create alone.
#pragma once

#include <cstdint>

#include "detector/ledger.h"
#include "detector/seen_set.h"

namespace impasse {

// Phases that a thread begins of itself.
inline constexpr std::uint32_t kOwnPhases = SeenSet::kPhases - 1;

// Also for our own thread, for another: that one may have remembered a path at this very moment.
// What it remembered then it tells again in the next phase.
inline void begin_order_phase(ThreadSlot& slot) {
  slot.order_phase.fetch_add(1, std::memory_order_relaxed);
  if (slot.seen_dirty.load(std::memory_order_relaxed) == 0) return;
  for (auto& path : slot.seen) path.store(0, std::memory_order_relaxed);
}

// The moment of the birth has been drawn.
inline void begin_own_order_phase(ThreadSlot& slot) {
  if (slot.order_phase.load(std::memory_order_relaxed) < kOwnPhases) begin_order_phase(slot);
}

}  // namespace impasse
