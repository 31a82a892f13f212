#include "support/blocked.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>

#include "support/driver.h"

namespace transparency {
namespace {

struct CallInProgress {
  long number = -1;
  uintptr_t first_argument = 0;
};

// "202 0x55…" for a sleeping thread, "running" for one on a processor.
CallInProgress call_of(pid_t pid, pid_t tid) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", pid, tid);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return {};
  char text[256] = {};
  const ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0 || text[0] < '0' || text[0] > '9') return {};
  char* rest = nullptr;
  CallInProgress call;
  call.number = std::strtol(text, &rest, 10);
  call.first_argument = static_cast<uintptr_t>(std::strtoull(rest, nullptr, 16));
  return call;
}

// Gives the processor away between two looks: the watched thread may need it to get there.
void pause_between_looks() {
  const timespec pause{.tv_sec = 0, .tv_nsec = 50'000};
  nanosleep(&pause, nullptr);
}

}  // namespace

void wait_until_blocked_on(pid_t pid, pid_t tid, const volatile void* object, size_t size) {
  const auto begin = reinterpret_cast<uintptr_t>(object);
  for (;;) {
    const CallInProgress call = call_of(pid, tid);
    if (call.number == SYS_futex && call.first_argument - begin < size) return;
    pause_between_looks();
  }
}

void wait_until_blocked_on(pid_t tid, const volatile void* object, size_t size) {
  wait_until_blocked_on(getpid(), tid, object, size);
}

void wait_until_in_call(pid_t tid, long number) {
  while (call_of(getpid(), tid).number != number) pause_between_looks();
}

}  // namespace transparency
