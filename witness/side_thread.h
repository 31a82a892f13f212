// A second thread of ours for what may take long or hang for ever (the loader's lock, debug
// information on a slow disk): the watchdog gives it one task at a time and never waits for it.
//
// Promises: no allocation, no lock; constant-initialized.
#pragma once

#include <atomic>
#include <cstdint>

namespace impasse::witness {

class SideTask {
 public:
  virtual ~SideTask() = default;
  virtual void run() = 0;  // on the side thread
};

class SideThread {
 public:
  constexpr SideThread() = default;

  // The side thread's whole life: returns when it is dismissed.
  void work();

  // The watchdog's side. False: it has not come to work yet, is at another task still, or gone.
  bool give(SideTask& task);
  bool idle() const { return task_.load(std::memory_order_acquire) == nullptr; }
  // It will take no task any more: it crashed.
  bool lost() const { return lost_.load(std::memory_order_acquire); }
  void set_lost() { lost_.store(true, std::memory_order_release); }
  void dismiss();
  // In a forked child.
  void forget();

 private:
  std::atomic<SideTask*> task_{nullptr};
  std::atomic<std::uint32_t> calls_{0};  // a futex: raised with every task
  std::atomic<bool> at_work_{false};
  std::atomic<bool> dismissed_{false};
  std::atomic<bool> lost_{false};
};

}  // namespace impasse::witness
