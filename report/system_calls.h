// Names of system calls by number, for those in which threads are found asleep.
#pragma once

#include <string>

namespace impasse::report {

// "futex"; "system call 511" for one that is not in the table.
std::string system_call_name(long number);

}  // namespace impasse::report
