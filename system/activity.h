// What a thread does at the moment, in words that the kernel's facts allow.
//
// Promises: plain data; `trouble` says why something is not known.
#pragma once

#include <cstdint>
#include <string>

namespace impasse::system {

enum class ActivityKind : std::uint8_t {
  kUnknown,
  kInWait,        // in one of the waits that impasse itself sees
  kInSystemCall,  // asleep in another system call
  kInKernel,      // asleep in the kernel, but in no system call (a page that is being fetched)
  kRunning,
  kStopped,     // by a signal or a debugger
  kGone,        // ended
  kLeftBehind,  // it did not come along into this forked child
  kStarting,
};

struct Activity {
  ActivityKind kind = ActivityKind::kUnknown;
  char state = '\0';  // the letter of /proc/PID/task/TID/stat
  long number = -1;   // of the system call
  std::string call;   // "recvfrom"
  std::string
      detail;  // "fd 12, tcp 127.0.0.1:51544 → 127.0.0.1:9443"; "3 descriptors, no time limit"
  std::string kernel_function;   // where it sleeps in the kernel
  bool uninterruptible = false;  // disk sleep: no signal reaches it
  std::uint64_t since_ns = 0;    // CLOCK_MONOTONIC: seen in this since then at least; 0: seen once
  std::string trouble;           // why it is not known better; a clause
};

}  // namespace impasse::system
