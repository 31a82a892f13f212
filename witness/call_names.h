// Names for the calls of a process's last words (report/call_words.h). What a report of a long wait
// or a dump has looked up for its calls is kept, mostly all that is needed; the rest is looked up
// on the side thread while the process waits to end (0.1 to 0.3 s).
//
// Promises: waits only when there is a call with a place that no report had, and the side thread
// takes the task at once: not while that one hangs in the loader or in debug information, nor when
// it was lost. Then for kCallNamesPatienceMs at most. What could not be had stays an address. What
// the side thread still works at is left to it, and never freed.
#pragma once

#include <cstddef>

#include "report/report.h"
#include "witness/name_report.h"
#include "witness/side_thread.h"

namespace impasse::witness {

inline constexpr unsigned kCallNamesPatienceMs = 500;
inline constexpr std::size_t kMostCallsKept = 64;

// Whoever looks up names. Of many calls the newest are kept.
void keep_call_names(const report::Report& named);

// For the watchdog's thread, once: takes what is kept.
using NameReport = void (*)(report::Report& report);
report::Report with_names(SideThread& side, report::Report worst_calls,
                          NameReport name = name_report);

}  // namespace impasse::witness
