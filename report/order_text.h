// Each order of a circle with its evidence: who, when, what else was held, and the stack of the
// thread when it took the second lock.
//
// Promises: as much as fits into a budget of bytes is shown in full; the rest as one line each,
// then as a count.
#pragma once

#include <string>

#include "report/phrases.h"

namespace impasse::report {

// "ORDERS". Empty: there are none.
std::string order_section(const Phrases& say);

}  // namespace impasse::report
