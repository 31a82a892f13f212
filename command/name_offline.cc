#include "command/name_offline.h"

namespace impasse::command {

void name_offline(report::Report& report, const std::vector<std::string>& debug_dirs) {
  // TO BE WIRED: symbolize_offline looks names up here.
  if (report.named && debug_dirs.empty()) return;
  report.notes.emplace_back(
      "Names are those of the report itself: this build looks none up in debug files.");
}

}  // namespace impasse::command
