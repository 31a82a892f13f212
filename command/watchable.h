// Whether the preload can be put in front of a program.
#pragma once

#include <string>

namespace impasse::command {

// Why this program runs without impasse, as the end of the sentence "PROGRAM runs without impasse:
// …"; empty when it can be watched. Looks at the interpreter where the file is a script.
std::string why_not_watchable(const std::string& path);

}  // namespace impasse::command
