// The report of a live process: asked for, named, printed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "command/ledger_places.h"
#include "command/process_view.h"

namespace impasse::command {

struct LiveReportWish {
  bool json = false;
  bool running_stacks = false;
  std::vector<std::string> debug_dirs;
};

// The exit status; nothing when the process gave no report, after a sentence that says why.
std::optional<int> print_live_report(const ProcessView& process, const LedgerFile& ledger,
                                     const LiveReportWish& wish);

}  // namespace impasse::command
