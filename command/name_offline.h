// Names for a report, from the debug information on this machine: for one that was written without
// them, or to make one richer.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "report/report.h"
#include "symbolize/modules.h"

namespace impasse::command {

// Fills in what frames and locks lack. What cannot be found stays as it is; what was refused
// becomes a note of the report. `debug_dirs`: where to look besides the usual places. `root` stands
// before the paths of modules: another process may see other files.
void name_offline(report::Report& report, const std::vector<std::string>& debug_dirs,
                  const std::string& root = "");

// The files of a /proc/PID/maps. One that another file took the place of has other addresses: it
// counts as deleted, for no names rather than wrong ones.
symbolize::Modules modules_on_disk(std::string_view maps, const std::string& root = "");

}  // namespace impasse::command
