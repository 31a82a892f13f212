// A thread that plays its part, one task at a time.
//
// The hand-over goes through atomics only (a futex inside libstdc++), so that coordinating a
// situation adds no lock, hold or wait to those that the situation is about.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <atomic>
#include <functional>
#include <thread>

namespace facts {

class Actor {
 public:
  explicit Actor(const char* name = nullptr);
  ~Actor() { leave(); }
  Actor(const Actor&) = delete;
  Actor& operator=(const Actor&) = delete;

  // Returns at once; the task runs meanwhile. `finish` waits for its end.
  void start(std::function<void()> task);
  void finish();
  void run(std::function<void()> task) {
    start(std::move(task));
    finish();
  }
  // Its thread returns from its function, and is joined.
  void leave();
  // Its task ends the thread by other means (pthread_exit, a cancellation): joins it.
  void join();

  pid_t tid() const { return tid_; }
  pthread_t handle() const { return thread_; }

 private:
  enum State : int { kIdle, kBusy, kLeaving };

  static void* serve(void* self);

  const char* name_;
  pthread_t thread_{};
  pid_t tid_ = 0;
  bool gone_ = false;
  std::function<void()> task_;
  std::atomic<int> state_{kBusy};
};

// A door that opens once.
class Gate {
 public:
  void open() {
    open_.store(1);
    open_.notify_all();
  }
  void pass() const { open_.wait(0); }

 private:
  std::atomic<int> open_{0};
};

}  // namespace facts
