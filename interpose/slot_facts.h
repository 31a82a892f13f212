// What a thread's slot says of it, carried over to another slot.
#pragma once

#include "detector/ledger.h"

namespace impasse {

// Holds and wait of the calling thread go from one slot to another.
void move_facts(ThreadSlot& to, const ThreadSlot& from);

}  // namespace impasse
