// What the system says about a process, read from /proc without stopping or signalling it.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "report/facts.h"

namespace impasse::command {

struct ProcessView {
  enum class Presence {
    kNone,       // no such process, or one that /proc hides
    kEnded,      // its parent has not collected it yet
    kKernel,     // a thread of the kernel
    kForbidden,  // somebody else's: what it has mapped is not ours to see
    kLive,
  };
  Presence presence = Presence::kNone;
  pid_t pid = 0;            // of the process, also where a thread's number was asked for
  std::uint64_t start = 0;  // in clock ticks since boot: tells it from another of its number
  pid_t inner_pid = 0;      // the number that it knows itself by (in its container)
  std::string name;         // of the executable file; else of the main thread
  std::string maps;         // /proc/PID/maps
  int error = 0;            // with kForbidden
};
ProcessView view_process(pid_t pid);

// All threads, with the numbers that they know themselves by; those that end meanwhile are left
// out.
std::vector<report::LiveThread> live_threads(const ProcessView& process);

// A variable of the environment that the process was started with; nothing: not set, or not
// readable.
std::optional<std::string> started_with(pid_t pid, std::string_view variable);

// Whether the process sees other mounts than we do.
bool has_other_mounts(pid_t pid);

// Parts of those files, for whoever wants to test them.
char state_letter(std::string_view stat);                    // 0: none there
std::uint64_t start_ticks(std::string_view stat);            // 0: none there
std::optional<long> system_call_number(std::string_view s);  // of /proc/PID/task/TID/syscall
pid_t last_number(std::string_view status, std::string_view field);  // of "NSpid:\t12\t1"; 0: none

}  // namespace impasse::command
