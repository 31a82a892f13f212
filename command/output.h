// What the command says: results on standard output, complaints on standard error, every failed
// write noticed.
#pragma once

#include <string_view>

namespace impasse::command {

inline constexpr int kOk = 0;
inline constexpr int kFailed = 2;  // the exit status of everything that impasse itself could not do

// Puts /dev/null where standard descriptors are closed, so that no file that is opened later gets
// one of their numbers. To be called first; what is put there does not reach a program that is
// executed.
void guard_standard_descriptors();

// One sentence on standard error, after "impasse: ".
void complain(std::string_view sentence);
// The same; the exit status to return.
int fail(std::string_view sentence);

// Writes all of it to standard output; the exit status to return, after a sentence when it could
// not be written.
int print(std::string_view text);

}  // namespace impasse::command
