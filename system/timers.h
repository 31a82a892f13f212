// The timers that this process has running: interval timers (setitimer, alarm) and those of
// timer_create(). Each sends a signal when its time comes.
//
// Promises: no allocation; nothing is changed; a filter of system calls that kills is not provoked.
// Cost: a file, and a system call for each timer.
#pragma once

#include <cstdint>

namespace impasse::system {

// What timers with SIGEV_THREAD send to a thread of libc's, which then starts one of the program's.
inline constexpr int kSignalOfTimerThreads = 32;

// A bit for each signal that is to come: bit n - 1 for signal n. False: not to be had.
bool signals_of_running_timers(std::uint64_t& signals);

}  // namespace impasse::system
