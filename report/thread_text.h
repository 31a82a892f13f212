// Threads with their stacks, in the manner of a dump of goroutines: equal ones together.
//
// Promises: as much as fits into a budget of bytes is shown in full, those of the finding first;
// the rest as one line for each group, then as a count.
#pragma once

#include <cstddef>
#include <string>

#include "report/phrases.h"

namespace impasse::report {

// "THREADS IN IT", "ALL OTHER THREADS".
std::string thread_sections(const Phrases& say);

}  // namespace impasse::report
