#include "command/asked_process.h"

#include <charconv>
#include <cstring>

namespace impasse::command {

std::string named(const ProcessView& process) {
  const std::string number = "process " + std::to_string(process.pid);
  return process.name.empty() ? number : number + " (" + process.name + ")";
}

AskedProcess asked_process(std::string_view number) {
  AskedProcess asked;
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), pid);
  if (error != std::errc() || pid <= 0) {
    asked.problem = "'" + std::string(number) + "' is not the number of a process";
    return asked;
  }
  asked.process = view_process(pid);
  switch (asked.process.presence) {
    case ProcessView::Presence::kKernel:
      asked.problem = named(asked.process) + " is a thread of the kernel";
      break;
    case ProcessView::Presence::kForbidden:
      asked.problem = named(asked.process) +
                      " is not ours to look at: " + std::strerror(asked.process.error) +
                      " (it belongs to another user or another container)";
      break;
    case ProcessView::Presence::kLive:
    case ProcessView::Presence::kNone:
    case ProcessView::Presence::kEnded:
      break;
  }
  return asked;
}

}  // namespace impasse::command
