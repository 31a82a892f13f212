// Calls that may block, made while a lock was held: their lines in a report, and those in a
// process's last words.
//
// Promises: pure; whatever indices a report has, an answer comes back; everything from outside is
// printable. Empty when there is nothing to say.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "detector/call_reader.h"
#include "report/phrases.h"
#include "symbolize/modules.h"

namespace impasse::report {

// The section of a report, a line for each call; not wrapped.
std::vector<std::string> call_lines(const Phrases& say);

// The few that took longest in all, whatever the lock: from one place, under a lock taken at
// another. Lines that begin with "impasse: ".
std::string worst_calls(std::span<const CallFact> calls, const symbolize::Modules& modules);

}  // namespace impasse::report
