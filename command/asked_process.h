// The process whose number a user gave.
#pragma once

#include <string>
#include <string_view>

#include "command/process_view.h"

namespace impasse::command {

struct AskedProcess {
  ProcessView process;  // live, ended, or not there
  // Why nothing can be said of it: no number, a thread of the kernel, somebody else's; a clause.
  std::string problem;
};
AskedProcess asked_process(std::string_view number);

// "process 4711 (server)".
std::string named(const ProcessView& process);

}  // namespace impasse::command
