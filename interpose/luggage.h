// What a forked child takes along: its only thread's facts, and the holds of the threads that stay
// behind, kept until the child has a ledger itself.
//
// Promises: the parent's memory is the child's copy; nothing here is touched by other threads. For
// the thread that forks, with all signals blocked.
#pragma once

#include <cstddef>
#include <cstdint>

#include "detector/ledger.h"

namespace impasse {

// ---- before the fork, and in the parent after it
void pack_luggage(Ledger& ledger, std::uint64_t now_ns);
void drop_luggage();

// ---- in the child
// The forking thread's own facts, where there is luggage.
void take_own_facts(ThreadSlot& slot);
// The rest, until there is a ledger for it.
void keep_luggage();
void unpack_luggage(Ledger& ledger);
// These locks were made or destroyed before that.
void forget_luggage(std::uint64_t start, std::uint64_t bytes);
// One hold of the lock was released after all.
void forget_hold_in_luggage(std::uint64_t lock);

// Asks the lock itself, whether other processes use it too. Where it may not be asked it counts as
// this process's own: whoever judges asks again. `site` as in Hold.
bool is_process_shared(std::uint64_t lock, std::uint64_t site);

}  // namespace impasse
