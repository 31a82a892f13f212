// Threads that run, to be asked for their stacks, and their answers looked at.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <thread>
#include <utility>

#include "witness/running_stack.h"

namespace impasse::witness {

inline std::uint32_t own_tid() {
  return static_cast<std::uint32_t>(syscall(SYS_gettid));
}

inline void work(unsigned turns) {
  for (unsigned i = 0; i < turns; ++i) asm volatile("");
}

// A thread that works until the object ends.
class Worker {
 public:
  explicit Worker(std::function<void(const std::atomic<bool>& over)> work)
      : thread_([this, work = std::move(work)] {
          tid_ = own_tid();
          work(over_);
        }) {
    while (tid_ == 0) std::this_thread::yield();
  }
  ~Worker() {
    over_ = true;
    thread_.join();
  }
  std::uint32_t tid() const { return tid_; }

 private:
  std::atomic<bool> over_{false};
  std::atomic<std::uint32_t> tid_{0};
  std::thread thread_;
};

// The answer may fail to come in time on a busy machine; a few attempts are allowed.
inline Asked ask(std::uint32_t tid, RunningStack& stack) {
  Asked asked = Asked::kNoAnswer;
  for (int i = 0; i < 50 && asked != Asked::kGiven; ++i) {
    asked = ask_running_thread(tid, stack, 500'000'000);
    if (asked == Asked::kGone || asked == Asked::kBlocked || asked == Asked::kNoSignal) break;
  }
  return asked;
}

inline constexpr std::uint64_t kMark = 0x1234'5678'9abc'def0;

// Known places on both ends, so that "within" can be told.
[[gnu::noinline, gnu::noclone]] inline void spin(const std::atomic<bool>& over) {
  volatile std::uint64_t marks[64];
  for (volatile std::uint64_t& mark : marks) mark = kMark;
  while (!over.load(std::memory_order_relaxed)) continue;
  for (volatile std::uint64_t& mark : marks) mark = 0;
}

// A function that calls nothing keeps up to 128 bytes below its stack pointer: those are not
// copied.
inline bool has_marks(const RunningStack& stack) {
  std::size_t count = 0;
  for (std::size_t at = 0; at + 8 <= stack.size; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, static_cast<const char*>(stack.bytes) + at, sizeof word);
    count += word == kMark;
  }
  return count >= 64 - 128 / sizeof(kMark) && count <= 64;
}

}  // namespace impasse::witness
