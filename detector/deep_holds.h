// The holds of one thread beyond kInlineHolds: an open-addressed table by lock in the ledger's
// memory, so that a thread may hold a million locks and release them in any order. Only the owner
// changes it; `deep_change` is odd meanwhile.
#pragma once

#include <span>

#include "detector/hold_stack.h"
#include "detector/ledger.h"

namespace impasse::deep {

bool add(ThreadSlot& slot, Ledger& ledger, const NewHold& hold, std::uint8_t phase,
         std::uint32_t tick);
// One level of the lock. False: it is not here.
bool remove(ThreadSlot& slot, Ledger& ledger, std::uint64_t lock);
DeepHold* find(const ThreadSlot& slot, const Ledger& ledger, std::uint64_t lock);
void set_phase(DeepHold& hold, std::uint8_t phase);
// The places of the owner's table: those whose lock is above kRemoved are in use.
inline constexpr std::uint64_t kRemoved = 1;
std::span<const DeepHold> places(const ThreadSlot& slot, const Ledger& ledger);
// A hash of the locks in the owner's table, but for one, in whatever order they came there. 0 for
// none, and for a table beyond kHashedPlaces: of one that ever got so large no order is told that
// would need it. Costs: a microsecond at most.
inline constexpr std::size_t kHashedPlaces = 512;
std::uint64_t hash_of_all(const ThreadSlot& slot, const Ledger& ledger, std::uint64_t except = 0);
// A signal handler interrupted a change of it.
inline bool changing(const ThreadSlot& slot) {
  return (slot.deep_change.load(std::memory_order_relaxed) & 1) != 0;
}

}  // namespace impasse::deep
