// Asks a live process, through the file of its ledger, for a report of all its threads or of the
// orders of its locks: its own watchdog makes it, so no right to look into the process is needed,
// no thread is stopped, and nobody gets a signal.
//
// Promises: those who ask at the same time take turns; bounded waiting; a process that does not
// answer (stopped, or without a watchdog) is a sentence, not a hang, and its request is withdrawn.
// The answer's file is removed.
#pragma once

#include <cstdint>
#include <string>

#include "command/ledger_places.h"
#include "command/process_view.h"

namespace impasse::command {

struct Answer {
  std::string json;     // the report
  std::string problem;  // why there is none; a clause
};

// `wishes`: request_flag.
Answer ask_for_report(const ProcessView& process, const LedgerFile& ledger, std::uint64_t wishes);

}  // namespace impasse::command
