// The program's standard error, for a thread that has no descriptors of the program.
//
// Promises: a line is written whole or not at all; a reader that does not read costs a fifth of a
// second and then the line, a slow one two seconds at most. For our own threads.
#pragma once

#include <string_view>

namespace impasse::witness {

// False: it could not be written.
bool write_to_stderr(std::string_view text);

}  // namespace impasse::witness
