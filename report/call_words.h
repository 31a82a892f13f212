// Calls that may block, made while a lock was held: their lines in a report, and those in a
// process's last words.
//
// Promises: pure; whatever indices a report has, an answer comes back; everything from outside is
// printable. Empty when there is nothing to say.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "detector/call_reader.h"
#include "report/phrases.h"
#include "symbolize/modules.h"

namespace impasse::report {

// The section of a report, a line for each call; not wrapped.
std::vector<std::string> call_lines(const Phrases& say);

// The few that took longest in all, whatever the lock: from one place, under locks taken at
// another. As the calls of a report, so that whoever names reports names these too; without any
// when none is worth saying.
Report worst_calls(std::span<const CallFact> calls, const symbolize::Modules& modules);

// To the calls of one report those of another one that are at other places, with what names them,
// until there are `most`.
void add_calls(Report& calls, const Report& more, std::size_t most);

// Names that were looked up for other calls, taken over: for a place in the same file at the same
// address, for a lock at the same one. True: nothing is left that was not looked up.
bool take_names(Report& worst, const Report& known);

// Lines that begin with "impasse: ". A place without a name is its address: "program+0x1234".
std::string worst_call_lines(const Report& worst);

}  // namespace impasse::report
