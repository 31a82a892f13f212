// The facts of a process as JSON for programs, "schema": "impasse-facts/1": all that the text has,
// and what it leaves out. Addresses are hexadecimal texts; ages are nanoseconds; what is not known
// is null or missing.
//
// Promises: a pure function; valid JSON whatever names the process has.
#pragma once

#include <string>
#include <string_view>

#include "report/facts.h"

namespace impasse::report {

inline constexpr std::string_view kFactsSchema = "impasse-facts/1";

std::string facts_json(const Facts& facts);

}  // namespace impasse::report
