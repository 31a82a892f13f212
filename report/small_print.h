// The end of a report: locks, modules, options, what is missing.
#pragma once

#include <string>

#include "report/phrases.h"

namespace impasse::report {

std::string small_print(const Phrases& say);

}  // namespace impasse::report
