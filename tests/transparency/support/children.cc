#include "support/children.h"

#include <glob.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>

#include "support/driver.h"

namespace transparency {
namespace {

// File times lag behind the clock by up to a kernel tick.
constexpr time_t kCoarseSeconds = 1;

const time_t g_begin = time(nullptr);

// An older one is what a killed process left that had the same number once.
bool is_ours(const char* path) {
  struct stat status {};
  return stat(path, &status) == 0 && status.st_ctime >= g_begin - kCoarseSeconds;
}

// Both `impasse.PID` and `impasse.PID.anything`, but not the ledger of a longer PID.
size_t remove_ledgers_of(pid_t pid) {
  size_t found = 0;
  for (const char* pattern : {"/dev/shm/impasse.%d", "/dev/shm/impasse.%d.*"}) {
    char path[64];
    std::snprintf(path, sizeof path, pattern, pid);
    glob_t matches{};
    if (glob(path, 0, nullptr, &matches) == 0) {
      for (size_t i = 0; i < matches.gl_pathc; ++i) {
        if (!is_ours(matches.gl_pathv[i])) continue;
        ++found;
        unlink(matches.gl_pathv[i]);
      }
    }
    globfree(&matches);
  }
  return found;
}

}  // namespace

const char* end_of(pid_t pid) {
  thread_local char text[64];
  int status = 0;
  pid_t waited = -1;
  do {
    waited = waitpid(pid, &status, 0);
  } while (waited < 0 && errno == EINTR);
  require(waited == pid, "the child is ours to wait for");
  if (WIFSIGNALED(status)) {
    remove_ledgers_of(pid);
    std::snprintf(text, sizeof text, "signal %d", WTERMSIG(status));
  } else {
    std::snprintf(text, sizeof text, "exit %d%s", WEXITSTATUS(status),
                  remove_ledgers_of(pid) > 0 ? ", its ledger stays behind" : "");
  }
  return text;
}

}  // namespace transparency
