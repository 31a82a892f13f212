// The times among a system call's arguments in words. `where` is an address in the process.
//
// Promises: reads memory only through Memory; a time that the kernel would refuse is "unreadable".
#pragma once

#include <cstdint>
#include <ctime>
#include <string>

#include "system/memory.h"

namespace impasse::system {

// "time limit 2.5s"; "no time limit" for the null pointer.
std::string limit_of_timespec(const Memory& memory, std::uint64_t where);
std::string limit_of_timeval(const Memory& memory, std::uint64_t where);
std::string limit_of_milliseconds(int ms);  // below 0: none

// "2.5s left", as of now by that clock; "its time is up".
std::string time_left(const Memory& memory, std::uint64_t where, clockid_t by);

// "2.5s asked for".
std::string time_asked_for(const Memory& memory, std::uint64_t where);

}  // namespace impasse::system
