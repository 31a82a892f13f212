// The facts of a process as text for people: who waits for what since when, who holds it, what is
// missing.
//
// Promises: a pure function; names and paths from outside are made safe to show on a terminal.
#pragma once

#include <string>

#include "report/facts.h"

namespace impasse::report {

std::string facts_text(const Facts& facts);

}  // namespace impasse::report
