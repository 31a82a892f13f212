// A second thread that does what it is told, one task at a time: "somebody else takes the lock".
// The hand-over goes through atomics only (a futex inside libstdc++), so that coordinating a case
// adds no pthread call to the calls that the case is about.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <atomic>
#include <functional>

namespace transparency {

class Bystander {
 public:
  Bystander();
  ~Bystander();
  Bystander(const Bystander&) = delete;
  Bystander& operator=(const Bystander&) = delete;

  // Returns at once; the task runs meanwhile. `finish` waits for its end.
  void start(std::function<void()> task);
  void finish();

  void run(std::function<void()> task) {
    start(std::move(task));
    finish();
  }

  // What `call` returned in the other thread.
  int ask(const std::function<int()>& call);

  pid_t tid() const { return tid_; }

 private:
  enum State : int { kIdle, kBusy, kLeaving };

  static void* serve(void* self);

  pthread_t thread_{};
  pid_t tid_ = 0;
  std::function<void()> task_;
  std::atomic<int> state_{kBusy};
};

// A door that opens once.
class Gate {
 public:
  void open();
  void pass() const;
  bool is_open() const { return open_.load() != 0; }

 private:
  std::atomic<int> open_{0};
};

// Waits until `count` parties have arrived.
class Tally {
 public:
  void arrive();
  void wait_for(int count) const;
  int count() const { return arrived_.load(); }

 private:
  std::atomic<int> arrived_{0};
};

}  // namespace transparency
