// The holds of one thread beyond kInlineHolds: an open-addressed table by lock in the ledger's
// memory, so that a thread may hold a million locks and release them in any order. Only the owner
// changes it; `deep_change` is odd meanwhile.
#pragma once

#include "detector/hold_stack.h"
#include "detector/ledger.h"

namespace impasse::deep {

bool add(ThreadSlot& slot, Ledger& ledger, const NewHold& hold, std::uint8_t phase,
         std::uint32_t tick);
// One level of the lock. False: it is not here.
bool remove(ThreadSlot& slot, Ledger& ledger, std::uint64_t lock);
DeepHold* find(const ThreadSlot& slot, const Ledger& ledger, std::uint64_t lock);
void set_phase(DeepHold& hold, std::uint8_t phase);

}  // namespace impasse::deep
