// Asks a live process, through the file of its ledger, for a report of all its threads: its own
// watchdog makes it, so no right to look into the process is needed, no thread is stopped, and
// nobody gets a signal.
//
// Promises: bounded waiting; a process that does not answer (stopped, or without a watchdog) is a
// sentence, not a hang. The answer's file is removed.
#pragma once

#include <string>

#include "command/ledger_places.h"
#include "command/process_view.h"

namespace impasse::command {

struct Answer {
  std::string json;     // the report
  std::string problem;  // why there is none; a clause
};

Answer ask_for_report(const ProcessView& process, const LedgerFile& ledger, bool running_stacks);

}  // namespace impasse::command
