// A report out of its JSON form. Not for code that runs inside a program.
//
// Promises: any bytes are accepted: what is no report of schema "impasse/1" gives a sentence that
// names the place, never a crash; every index in the report that comes back is one that exists.
// Bounded by the size of the text, which the caller bounds.
#pragma once

#include <string>
#include <string_view>

#include "report/report.h"

namespace impasse::report {

// `problem` is empty when all went well; otherwise what is wrong, a clause.
Report read_report(std::string_view json, std::string& problem);

}  // namespace impasse::report
