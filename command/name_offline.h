// Names for a report that was written without them, from debug information on this machine.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace impasse::command {

// Fills in what frames lack. What cannot be found stays as it is, and a note of the report says so.
// `debug_dirs`: where to look besides the usual places.
void name_offline(report::Report& report, const std::vector<std::string>& debug_dirs);

}  // namespace impasse::command
