// The one thread of our own.
//
// Promises: it blocks every signal that can be blocked, its calls pass straight through our own
// functions, and it ends when the last thread of the program has ended, so that the process ends as
// it would have without us.
#pragma once

#include "detector/ledger.h"

namespace impasse {

// False: no thread could be had.
bool start_watchdog(Ledger& ledger);
// The last thread of the program is about to end.
void dismiss_watchdog();
// In a forked child there is none.
void forget_watchdog();

}  // namespace impasse
