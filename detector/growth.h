// How a ledger takes more of its memory into use, and gives some back: one thread at a time, and
// only memory that is safe to write.
//
// Promises: never blocks. A thread whose turn does not come soon (another one is stopped in its
// turn, or it is this very thread, interrupted by the signal handler that asks) goes without, and
// counts what it drops.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstddef>
#include <cstdint>

namespace impasse {

// Makes memory safe to write: a file on a full file system would otherwise kill with SIGBUS. False:
// it cannot be had.
using Reserve = bool (*)(void* start, std::size_t bytes);
// Gives whole pages back to the kernel. They may not even be read then before they were reserved
// anew.
using GiveBack = void (*)(void* start, std::size_t bytes);

struct Growth {
  Reserve reserve = nullptr;
  std::atomic<std::uint64_t>* busy = nullptr;
};

class GrowthTurn {
 public:
  explicit GrowthTurn(const Growth& growth) : busy_(growth.busy) {
    const std::uint64_t self = thread_pointer();
    constexpr int kPatience = 200;  // some milliseconds in all
    for (int i = 0; i < kPatience && !mine_; ++i) {
      if (i != 0) sched_yield();  // another thread may have lost its CPU in its turn
      if (!spin(self)) return;
    }
  }
  ~GrowthTurn() {
    if (mine_) busy_->store(0, std::memory_order_release);
  }
  GrowthTurn(const GrowthTurn&) = delete;
  GrowthTurn& operator=(const GrowthTurn&) = delete;
  explicit operator bool() const { return mine_; }

 private:
  // False: a signal handler interrupted this very thread in its turn.
  bool spin(std::uint64_t self) {
    constexpr int kSpins = 2'500;
    for (int i = 0; i < kSpins && !mine_; ++i) {
      std::uint64_t holder = 0;
      mine_ = busy_->compare_exchange_weak(holder, self, std::memory_order_acquire);
      if (holder == self) return false;
      if (!mine_) __builtin_ia32_pause();
    }
    return true;
  }
  // Tells threads apart, without a call.
  static std::uint64_t thread_pointer() {
    std::uint64_t pointer = 0;
    __asm__("movq %%fs:0, %0" : "=r"(pointer));
    return pointer;
  }

  std::atomic<std::uint64_t>* busy_;
  bool mine_ = false;
};

}  // namespace impasse
