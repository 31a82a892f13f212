#include "system/call_filter.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

namespace impasse::system {

bool filtered() {
  const int fd = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[4096];
  const ssize_t size = ::read(fd, text, sizeof text);
  close(fd);
  const std::string_view status(text, size > 0 ? static_cast<std::size_t>(size) : 0);
  return status.find("\nSeccomp:\t2") != std::string_view::npos;
}

// A copy of this process, not a thread: what ends a thread may end the process. Raw calls alone:
// whatever locks there are may be held for ever in the copy.
bool survives(long call, unsigned long a, unsigned long b, unsigned long c) {
  if (!filtered()) return true;
  constexpr unsigned long kNoSignalAtItsEnd = 0;
  const long child = syscall(SYS_clone, kNoSignalAtItsEnd, nullptr, nullptr, nullptr, nullptr);
  if (child == 0) {
    syscall(SYS_prctl, PR_SET_DUMPABLE, 0, 0, 0, 0);  // no core of it, should it be ended
    syscall(call, a, b, c);
    syscall(SYS_exit_group, 0);
    __builtin_unreachable();
  }
  if (child < 0) return false;
  int status = 0;
  long waited = 0;
  do {
    waited = syscall(SYS_wait4, child, &status, __WCLONE, nullptr);
  } while (waited < 0 && errno == EINTR);
  return waited == child && WIFEXITED(status);
}

}  // namespace impasse::system
