// One look at a thread through /proc/PID/task/TID: its state, the system call that it sleeps in,
// where in the kernel, and how often it slept.
//
// Promises: nobody is stopped or disturbed; no allocation. The parts of a look are read one after
// the other: only two equal looks prove that the thread stood still in between.
// Cost: look_at_call() 7 to 15 µs, look_at_task() four times as much.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "system/proc_files.h"

namespace impasse::system {

enum class CallForm : std::uint8_t {
  kUnknown,    // `error` says why, if it is not 0; otherwise the text made no sense
  kRunning,    // or about to
  kOutside,    // asleep in the kernel, but in no system call
  kCall,       // asleep in one
  kForbidden,  // the kernel does not let us look
  kGone,       // the thread has ended
};

// What the file `syscall` says.
struct CallLook {
  CallForm form = CallForm::kUnknown;
  int error = 0;
  long number = -1;
  std::array<std::uint64_t, 6> arguments{};
  std::uint64_t sp = 0;  // with kCall and kOutside; 0: not known
  std::uint64_t pc = 0;

  friend bool operator==(const CallLook&, const CallLook&) = default;
};

struct TaskLook {
  char state = '\0';  // the letter; '\0': not known
  std::array<char, 64> name{};
  std::array<char, 64> kernel_function{};  // empty: not known, or awake
  CallLook call;
  bool switches_known = false;
  std::uint64_t voluntary_switches = 0;  // how often it went to sleep
  std::uint64_t involuntary_switches = 0;
  bool filtered = false;  // a filter of system calls looks at what it does
  bool signals_known = false;
  std::uint64_t blocked_signals = 0;  // bit 0 is signal 1

  bool asleep() const { return call.form == CallForm::kCall || call.form == CallForm::kOutside; }
};

// The same sleep: same call with same arguments, SP and PC, and it did not go to sleep again.
bool has_not_moved(const TaskLook& before, const TaskLook& after);

CallLook look_at_call(const ProcFiles& process, std::uint32_t tid);
// The letter of its state; '\\0': not known.
char task_state(const ProcFiles& process, std::uint32_t tid);
TaskLook look_at_task(const ProcFiles& process, std::uint32_t tid);

// Texts of the kernel. False, or kUnknown: it made no sense.
CallLook parse_call(std::string_view text);
bool parse_stat(std::string_view text, TaskLook& look);
void parse_status(std::string_view text, TaskLook& look);

}  // namespace impasse::system
