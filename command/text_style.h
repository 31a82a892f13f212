// How a report is to look on standard output: colour, line drawing and width of the terminal, if it
// is one.
#pragma once

#include <string_view>

#include "report/report_text.h"

namespace impasse::command {

// `colour`: "auto", "always" or "never".
report::TextStyle text_style(std::string_view colour);

}  // namespace impasse::command
