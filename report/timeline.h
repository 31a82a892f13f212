// What happened when, from the facts of a finding: who took what, who began to wait, who ended.
//
// Promises: about kTimelineLines lines at most; wall-clock times of the process's own host, in UTC.
// A time with one digit behind the second is one that is known to a tenth of a second only.
#pragma once

#include <string>
#include <vector>

#include "report/phrases.h"

namespace impasse::report {

inline constexpr std::size_t kTimelineLines = 16;

std::vector<std::string> timeline(const Phrases& say, std::size_t width);

}  // namespace impasse::report
