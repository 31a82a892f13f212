// The threads of our own: the watchdog, and a side thread for what may hang.
//
// Promises: they block every signal that can be blocked, their calls pass straight through our own
// functions, and they end when the last thread of the program has ended, so that the process ends
// as it would have without us.
#pragma once

#include "detector/ledger.h"
#include "options/options.h"

namespace impasse {

// What the watchdog is to do; set once, before any thread is started. Complains of what only this
// place can tell to be wrong.
void set_up_watchdog(const Options& options, Complaints& complaints);

// See interpose/companions.h.
bool start_watchdog(Ledger& ledger);
void dismiss_watchdog();
void wake_watchdog();
void forget_watchdog();

// The process is about to end in a clean way: gives a report that is being written a little time.
void settle_findings();
// ... says what was found and what was not told, in a few lines; nothing if there is nothing to
// say.
void say_last_words();
// ... and with this status, if something was found and the option says so; 0: the program's own.
int exit_status_of_findings();
// Ends the process as exit() would from here on, with another status; should writing out the
// program's files hang, the watchdog does without.
[[noreturn]] void end_process(int status);

}  // namespace impasse
