#include <fcntl.h>
#include <sys/wait.h>

#include <cerrno>
#include <mutex>

#include "classics/classics.h"

namespace classics {

// ---- a thread ends and keeps its lock

pthread_mutex_t cache_mutex = PTHREAD_MUTEX_INITIALIZER;
int cached = 0;

[[gnu::noinline]] void refreshCache(bool gives_back) {
  pthread_mutex_lock(&cache_mutex);
  ++cached;
  if (!gives_back) return;  // an early return that forgot something
  pthread_mutex_unlock(&cache_mutex);
}

[[gnu::noinline]] int lookUp() {
  pthread_mutex_lock(&cache_mutex);
  const int found = cached;
  pthread_mutex_unlock(&cache_mutex);
  return found;
}

int exited_holder(const samples::Arguments& arguments, bool repaired) {
  samples::Actor refresher("refresher", [repaired] { refreshCache(repaired); });
  refresher.join();
  std::atomic<int> found{0};
  samples::Actor client("client", [&] { found = lookUp(); });
  if (!repaired) {
    samples::stay_stuck_when(arguments, [&] { return client.is_blocked_on(cache_mutex); },
                             {&client});
  }
  client.join();
  return found == 1 ? 0 : 1;
}

// ---- a process is forked while another thread has a lock, which the child then asks for

pthread_mutex_t log_mutex = PTHREAD_MUTEX_INITIALIZER;
int lines = 0;

[[gnu::noinline]] void writeLog() {
  pthread_mutex_lock(&log_mutex);
  ++lines;
  pthread_mutex_unlock(&log_mutex);
}

template <typename Meanwhile>
[[gnu::noinline]] void rotateLog(Meanwhile meanwhile) {
  pthread_mutex_lock(&log_mutex);
  meanwhile();
  pthread_mutex_unlock(&log_mutex);
}

// The child's end, waited for in a way that leaves the child's hanging to itself.
[[gnu::noinline]] int runChild() {
  const pid_t child = fork();
  if (child == 0) {
    samples::end_with_parent();
    writeLog();
    _exit(0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int fork_held(const samples::Arguments& arguments, bool repaired) {
  if (repaired) {
    // The lock is taken over the fork and given back on both sides.
    pthread_atfork([] { pthread_mutex_lock(&log_mutex); }, [] { pthread_mutex_unlock(&log_mutex); },
                   [] { pthread_mutex_unlock(&log_mutex); });
  }
  std::atomic<bool> holds{false};
  std::atomic<bool> stop{false};
  samples::Actor logger("logger", [&] {
    rotateLog([&] {
      holds = true;
      // Without the repair for as long as the child lives; else a moment.
      while (!repaired && !stop) std::this_thread::sleep_for(std::chrono::milliseconds(10));
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    });
  });
  int status = -1;
  samples::Actor spawner("spawner", [&] {
    while (!holds) std::this_thread::yield();
    status = runChild();
    stop = true;
  });
  if (!repaired) {
    samples::stay_stuck_when(arguments, [&] { return spawner.is_in(SYS_wait4); }, {&spawner});
  }
  spawner.join();
  logger.join();
  return status;
}

}  // namespace classics
