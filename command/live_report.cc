#include "command/live_report.h"

#include "command/ask_process.h"
#include "command/name_offline.h"
#include "command/output.h"
#include "command/text_style.h"
#include "detector/ledger_layout.h"
#include "report/report_json.h"
#include "report/report_reader.h"
#include "report/report_text.h"

namespace impasse::command {

std::optional<int> print_live_report(const ProcessView& process, const LedgerFile& ledger,
                                     const LiveReportWish& wish) {
  Answer answer =
      ask_for_report(process, ledger, wish.running_stacks ? request_flag::kRunningStacks : 0);
  report::Report report;
  if (answer.problem.empty()) report = report::read_report(answer.json, answer.problem);
  if (!answer.problem.empty()) {
    complain("process " + std::to_string(process.pid) + " gave no report (" + answer.problem +
             "); this is what its ledger says");
    return std::nullopt;
  }
  const std::string root =
      has_other_mounts(process.pid) ? "/proc/" + std::to_string(process.pid) + "/root" : "";
  name_offline(report, wish.debug_dirs, root);
  return print(wish.json ? report::report_json(report)
                         : report::report_text(report, text_style("auto")));
}

}  // namespace impasse::command
