#include "blocked.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "situation.h"

namespace facts {
namespace {

constexpr int kLooks = 50'000;
constexpr timespec kBetweenLooks{.tv_sec = 0, .tv_nsec = 200'000};

template <typename Condition>
void until(Condition condition) {
  for (int look = 0; look < kLooks; ++look) {
    if (condition()) return;
    // Gives the processor away: the watched thread may need it to get there.
    nanosleep(&kBetweenLooks, nullptr);
  }
  must(false);
}

// "202 0x55…" for a sleeping thread, "running" for one on a processor.
bool sleeps_on(pid_t pid, pid_t tid, std::uintptr_t begin, size_t size) {
  char path[64];
  std::snprintf(path, sizeof path, "/proc/%d/task/%d/syscall", pid, tid);
  const int file = open(path, O_RDONLY | O_CLOEXEC);
  if (file < 0) return false;
  char text[256] = {};
  const ssize_t length = read(file, text, sizeof text - 1);
  close(file);
  if (length <= 0 || text[0] < '0' || text[0] > '9') return false;
  char* rest = nullptr;
  if (std::strtol(text, &rest, 10) != SYS_futex) return false;
  return static_cast<std::uintptr_t>(std::strtoull(rest, nullptr, 16)) - begin < size;
}

}  // namespace

void until_blocked(pid_t pid, pid_t tid, const volatile void* object, size_t size) {
  const auto begin = reinterpret_cast<std::uintptr_t>(object);
  until([&] { return sleeps_on(pid, tid, begin, size); });
}

void until_blocked(pid_t tid, const volatile void* object, size_t size) {
  until_blocked(getpid(), tid, object, size);
}

// libc sleeps on a word in what the handle points to, which the kernel clears at the thread's end.
void until_joining(pid_t tid, pthread_t thread) {
  constexpr size_t kDescriptorBytes = 2304;
  until([&] { return sleeps_on(getpid(), tid, thread, kDescriptorBytes); });
}

void until_gone(pid_t tid) {
  until([&] { return syscall(SYS_tgkill, getpid(), tid, 0) != 0 && errno == ESRCH; });
}

}  // namespace facts
