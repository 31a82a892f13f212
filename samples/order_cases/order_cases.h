// Orders of locks, as small programs: for each, whether it may hang one day.
//
// None of them ever hangs: who takes what when is settled by semaphores, which are in no order. A
// case is a function; when it has shown everything it calls Stage::shown() or returns.
#pragma once

#include <pthread.h>
#include <semaphore.h>

#include <cerrno>
#include <functional>
#include <initializer_list>
#include <mutex>

#include "sample.h"

namespace order_cases {

class Semaphore {
 public:
  Semaphore() { sem_init(&semaphore_, 0, 0); }
  Semaphore(const Semaphore&) = delete;
  Semaphore& operator=(const Semaphore&) = delete;
  ~Semaphore() { sem_destroy(&semaphore_); }

  void post() { sem_post(&semaphore_); }
  void wait() {
    while (sem_wait(&semaphore_) != 0 && errno == EINTR) {
    }
  }

 private:
  sem_t semaphore_;
};

// Where a case tells that everything was shown.
class Stage {
 public:
  explicit Stage(bool lingers) : lingers_(lingers) {}

  // Says so on standard output, once. With --linger it returns when standard input has ended: the
  // locks must be there until then.
  void shown();

 private:
  bool lingers_;
  bool told_ = false;
};

// What a thread of this name does.
struct Part {
  const char* name;
  std::function<void()> play;
};

// The threads are all there before the first begins, and after the last has ended its part.
void in_turn(std::initializer_list<Part> parts);

// They do it at the same time.
void together(std::initializer_list<Part> parts);

// Two functions of different names, so that a report can tell which side it speaks of.
inline int taken_forward = 0;
inline int taken_backward = 0;

template <typename First, typename Second>
[[gnu::noinline]] void takeForward(First& first, Second& second) {
  std::lock_guard one(first);
  std::lock_guard other(second);
  ++taken_forward;
}

template <typename First, typename Second>
[[gnu::noinline]] void takeBackward(First& first, Second& second) {
  std::lock_guard one(first);
  std::lock_guard other(second);
  --taken_backward;
}

// The premise of a case (memory is used again at the same address): without it nothing is shown.
inline void must_be(bool so, const char* otherwise) {
  if (!so) samples::not_as_claimed(otherwise);
}

#define ORDER_CASE(name, expected, what) void name(Stage& stage);
#include "order_cases/cases.def"
#undef ORDER_CASE

}  // namespace order_cases
