// The numbers of a process's locks: two tables for people, one document for programs.
#pragma once

#include <string>
#include <string_view>

#include "report/stats_report.h"

namespace impasse::report {

inline constexpr std::string_view kStatsSchema = "impasse-stats/1";

// A line says how many rows were left out.
std::string stats_text(const StatsReport& stats);
// Times in nanoseconds.
std::string stats_json(const StatsReport& stats);

}  // namespace impasse::report
