// The option dump_signal: a signal that asks for a report of all threads.
//
// Promises: the handler stores one word; the watchdog's next turn makes the report. The program's
// own handler, should it install one, takes the signal over.
#pragma once

#include "options/options.h"

namespace impasse {

// False: the signal that the option names cannot be used for this.
bool listen_for_dump_signal(const Target& signal);
// Whether the signal came since this was asked last.
bool dump_was_asked_for();

}  // namespace impasse
