// All that people read of a report: the line on standard error, and the text in the file.
#pragma once

#include <string>

#include "report/report.h"
#include "report/report_text.h"

namespace impasse::report {

inline std::string text_of(const Report& report) {
  return report_line(report) + "\n" + report_text(report, {});
}

}  // namespace impasse::report
