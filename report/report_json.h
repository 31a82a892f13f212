// A report for programs: everything of it, as one JSON document of the schema "impasse/1"
// (docs/report.md, docs/report.schema.json).
//
// Promises: valid JSON in UTF-8 whatever bytes the report has (those that are no UTF-8 stand as
// "\xNN"); read_report() makes a report of it that has the same text. A pure function, no I/O.
#pragma once

#include <string>

#include "report/report.h"

namespace impasse::report {

inline constexpr std::string_view kReportSchema = "impasse/1";

std::string report_json(const Report& report);

}  // namespace impasse::report
