// Tells when a thread of this process is really blocked on one of its locks, so that a sample can
// announce its deadlock as a fact and not after a guess at how long it takes to form.
//
// Only what the kernel says counts: the thread is in futex(2), on a word inside the lock. Costs a
// read of /proc/self/task/TID/syscall for each look. Any thread may ask about any other.
#pragma once

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <thread>

namespace samples {

inline bool is_blocked_on(pid_t tid, const void* lock, std::size_t lock_size) {
  const std::string path = "/proc/self/task/" + std::to_string(tid) + "/syscall";
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  char text[256];
  const ssize_t length = read(fd, text, sizeof text - 1);
  close(fd);
  if (length <= 0) return false;
  text[length] = '\0';
  long number = -1;
  std::uintptr_t word = 0;
  // A running thread shows as "running", which has no number.
  if (std::sscanf(text, "%ld %lx", &number, &word) != 2 || number != SYS_futex) return false;
  return word - reinterpret_cast<std::uintptr_t>(lock) < lock_size;
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
