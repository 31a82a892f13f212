// The rule that would silence a finding: its kind and the functions of the program that take, hold
// and want its locks; where those are not known, its fingerprint.
//
// Promises: pure; the rule that comes back is understood by parse_suppressions() and holds for the
// report. Stands in a file as it is: a comment, the rule, the narrower one as a comment.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace impasse::report {

// Empty: none can be made (a dump; neither names nor a fingerprint are known).
std::string suppression_for(const Report& report);

// The functions that such a rule names, shortened, each once: where a reader looks first.
std::vector<std::string> functions_of_finding(const Report& report);

}  // namespace impasse::report
