// A thread that blocks while it holds a mutex, and the one that cancels it.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <atomic>
#include <cstddef>

#include "support/bystander.h"
#include "support/driver.h"

namespace cancellation {

// A joiner sleeps on a word of the block that pthread_t points to; it is no larger than this.
inline constexpr size_t kThreadBlock = 4096;

const char* value_name(void* value);

class Noisy {
 public:
  explicit Noisy(const char* what) : what_(what) {}
  ~Noisy() { transparency::say("destructor of %s", what_); }
  Noisy(const Noisy&) = delete;
  Noisy& operator=(const Noisy&) = delete;

 private:
  const char* what_;
};

// Everything that the two share.
struct Scene {
  pthread_mutex_t mutex{};
  pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
  pthread_t victim{};
  int cancelled = -1;
  std::atomic<pid_t> tid{0};
  transparency::Gate go;
  void (*block)(Scene&) = nullptr;

  explicit Scene(int type = PTHREAD_MUTEX_ERRORCHECK, int robust = PTHREAD_MUTEX_STALLED);

  // Returns when the victim has said where it is.
  void start(void* (*body)(void*));
  void announce();

  // What came of it is said at the end only: the victim speaks meanwhile.
  void cancel();
  void end();
};

// A handler: the error-checking mutex tells whether its thread holds it.
void unlock_in_handler(void* scene);

// A thread function: locks, pushes the handler, puts objects on the stack, and blocks.
void* lock_and_block(void* scene);

// Cancels it once it sleeps on the scene's condition, or in the block of thread that `on` is.
void cancel_while_blocked(void (*block)(Scene&), const volatile void* on, Scene& scene);

}  // namespace cancellation
