// What the watchdog asks about the process as a whole before it says that everybody in it sleeps.
//
// Promises: nobody is disturbed. Cost: of tasks() a system call for some hundred threads, and some
// 10 µs for each that is in no ledger; of catches_signals() one file and a system call for each
// signal that is caught; of timer_calls_program() that, a file, and a system call for each timer.
// For the watchdog's thread.
#pragma once

#include "detector/stuck_groups.h"

namespace impasse {

ProcessView process_view();

}  // namespace impasse
