// The system calls of x86-64 by number.
#pragma once

#include <string>
#include <string_view>

namespace impasse::system {

// "futex"; "system call 511" for one that is not in the table.
std::string system_call_name(long number);

// How the arguments are put into words (system_calls.def); empty: they say nothing about a sleep.
std::string_view system_call_words(long number);

}  // namespace impasse::system
