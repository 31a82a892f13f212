#include "support/children.h"

#include <glob.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>

#include "support/driver.h"

namespace transparency {
namespace {

// Both `impasse.PID` and `impasse.PID.anything`, but not the ledger of a longer PID.
size_t ledgers_of(pid_t pid, bool remove) {
  size_t found = 0;
  for (const char* pattern : {"/dev/shm/impasse.%d", "/dev/shm/impasse.%d.*"}) {
    char path[64];
    std::snprintf(path, sizeof path, pattern, pid);
    glob_t matches{};
    if (glob(path, 0, nullptr, &matches) == 0) {
      found += matches.gl_pathc;
      for (size_t i = 0; remove && i < matches.gl_pathc; ++i) unlink(matches.gl_pathv[i]);
    }
    globfree(&matches);
  }
  return found;
}

}  // namespace

bool left_a_ledger(pid_t pid) {
  return ledgers_of(pid, true) > 0;
}

const char* end_of(pid_t pid) {
  thread_local char text[64];
  int status = 0;
  pid_t waited = -1;
  do {
    waited = waitpid(pid, &status, 0);
  } while (waited < 0 && errno == EINTR);
  require(waited == pid, "the child is ours to wait for");
  if (WIFSIGNALED(status)) {
    left_a_ledger(pid);
    std::snprintf(text, sizeof text, "signal %d", WTERMSIG(status));
  } else {
    std::snprintf(text, sizeof text, "exit %d%s", WEXITSTATUS(status),
                  left_a_ledger(pid) ? ", its ledger stays behind" : "");
  }
  return text;
}

}  // namespace transparency
