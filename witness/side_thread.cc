#include "witness/side_thread.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace impasse::witness {

void SideThread::work() {
  at_work_.store(true, std::memory_order_release);
  while (!dismissed_.load(std::memory_order_acquire)) {
    const std::uint32_t calls = calls_.load(std::memory_order_acquire);
    if (SideTask* const task = task_.load(std::memory_order_acquire)) {
      task->run();
      if (lost()) return;  // nothing of this thread can be relied on any more
      task_.store(nullptr, std::memory_order_release);
      continue;
    }
    if (dismissed_.load(std::memory_order_acquire)) return;
    syscall(SYS_futex, &calls_, FUTEX_WAIT_PRIVATE, calls, nullptr, nullptr, 0);
  }
}

bool SideThread::give(SideTask& task) {
  SideTask* none = nullptr;
  if (lost() || !at_work_.load(std::memory_order_acquire) ||
      !task_.compare_exchange_strong(none, &task, std::memory_order_acq_rel)) {
    return false;
  }
  calls_.fetch_add(1, std::memory_order_release);
  syscall(SYS_futex, &calls_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  return true;
}

void SideThread::dismiss() {
  dismissed_.store(true, std::memory_order_release);
  calls_.fetch_add(1, std::memory_order_release);
  syscall(SYS_futex, &calls_, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

void SideThread::forget() {
  task_.store(nullptr, std::memory_order_relaxed);
  at_work_.store(false, std::memory_order_relaxed);
  dismissed_.store(false, std::memory_order_relaxed);
  lost_.store(false, std::memory_order_relaxed);
}

}  // namespace impasse::witness
