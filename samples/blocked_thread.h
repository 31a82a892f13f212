// Tells when a thread of this process is really blocked, so that a sample can announce its deadlock
// as a fact and not after a guess at how long it takes to form.
//
// Only what the kernel says counts: which system call the thread is in, and for futex(2) on which
// word. Costs a read of /proc/self/task/TID/syscall for each look; allocates nothing. Any thread
// may ask about any other.
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <thread>

namespace samples {

struct SystemCall {
  long number = -1;  // -1: in none
  std::uintptr_t first_argument = 0;
};

inline SystemCall system_call_of(pid_t tid) {
  char text[256];
  std::snprintf(text, sizeof text, "/proc/self/task/%d/syscall", tid);
  const int fd = open(text, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  const ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  if (length <= 0) return {};
  text[length] = '\0';
  SystemCall call;
  // A running thread shows as "running", which has no number.
  if (std::sscanf(text, "%ld %lx", &call.number, &call.first_argument) != 2) return {};
  return call;
}

inline bool is_in_call(pid_t tid, long number) {
  return system_call_of(tid).number == number;
}

inline bool is_blocked_on(pid_t tid, const void* lock, std::size_t lock_size) {
  const SystemCall call = system_call_of(tid);
  return call.number == SYS_futex &&
         call.first_argument - reinterpret_cast<std::uintptr_t>(lock) < lock_size;
}

// Looks again and again until the condition holds; false when it does not within the bound.
template <typename Condition>
bool wait_until(Condition condition, std::chrono::seconds bound = std::chrono::seconds(30)) {
  const auto end = std::chrono::steady_clock::now() + bound;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

}  // namespace samples
