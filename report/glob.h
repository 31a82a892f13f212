// Globs, as rules have them: `*` stands for any bytes, `?` for one byte, everything else for
// itself.
//
// Promises: any bytes on either side; no allocation; at most size times size steps.
#pragma once

#include <string_view>

namespace impasse::report {

bool matches_glob(std::string_view glob, std::string_view text);

}  // namespace impasse::report
