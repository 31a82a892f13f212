// What a cancelled thread goes through: pending and disabled and asynchronous requests, handlers,
// mutexes of other kinds, catch (...).
#include <pthread.h>

#include <atomic>
#include <cstdint>

#include "cancellation/cases.h"
#include "cancellation/scene.h"
#include "support/blocked.h"
#include "support/observed.h"

namespace cancellation {

using transparency::error_name;
using transparency::say;

// The request is there before the wait begins: no sleep at all, but the same way out.
void pending_before_wait() {
  Scene scene;
  scene.block = [](Scene& me) {
    me.go.pass();
    pthread_cond_wait(&me.cond, &me.mutex);
    say("never reached");
  };
  scene.start(lock_and_block);
  scene.cancel();
  scene.go.open();
  scene.end();
}

void disabled() {
  Scene scene;
  scene.block = [](Scene& me) {
    int old_state = -1;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &old_state);
    say("cancellation was %s", old_state == PTHREAD_CANCEL_ENABLE ? "enabled" : "disabled");
    while (!me.go.is_open()) pthread_cond_wait(&me.cond, &me.mutex);
    say("the wait ended by a signal");
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
    pthread_testcancel();
    say("never reached");
  };
  scene.start(lock_and_block);
  transparency::wait_until_blocked_on(scene.tid, scene.cond);
  scene.cancel();
  pthread_mutex_lock(&scene.mutex);
  scene.go.open();
  pthread_cond_signal(&scene.cond);
  pthread_mutex_unlock(&scene.mutex);
  scene.end();
}

void asynchronous() {
  Scene scene;
  scene.block = [](Scene& me) {
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, nullptr);
    me.go.open();
    static std::atomic<uint64_t> turns{0};
    for (;;) turns.fetch_add(1, std::memory_order_relaxed);
  };
  scene.start(lock_and_block);
  scene.go.pass();
  scene.cancel();
  scene.end();
}

namespace {

void tell_in_handler(void* text) {
  say("handler: %s", static_cast<const char*>(text));
}

}  // namespace

void nested_handlers() {
  Scene scene;
  scene.start([](void* data) -> void* {
    auto& me = *static_cast<Scene*>(data);
    char first[] = "pushed first";
    char second[] = "pushed second";
    char third[] = "popped before";
    pthread_cleanup_push(tell_in_handler, first);
    pthread_cleanup_push(tell_in_handler, second);
    pthread_cleanup_push(tell_in_handler, third);
    pthread_cleanup_pop(0);
    pthread_mutex_lock(&me.mutex);
    pthread_cleanup_push(unlock_in_handler, data);
    me.announce();
    for (;;) pthread_cond_wait(&me.cond, &me.mutex);
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    pthread_cleanup_pop(0);
    return nullptr;
  });
  transparency::wait_until_blocked_on(scene.tid, scene.cond);
  scene.cancel();
  scene.end();
}

// The handler locks once more and unlocks once: one level is left behind.
void recursive_mutex() {
  Scene scene(PTHREAD_MUTEX_RECURSIVE);
  cancel_while_blocked([](Scene& me) { pthread_cond_wait(&me.cond, &me.mutex); }, nullptr, scene);
}

void robust_mutex_without_handler() {
  Scene scene(PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST);
  scene.start([](void* data) -> void* {
    auto& me = *static_cast<Scene*>(data);
    pthread_mutex_lock(&me.mutex);
    me.announce();
    for (;;) pthread_cond_wait(&me.cond, &me.mutex);
  });
  transparency::wait_until_blocked_on(scene.tid, scene.cond);
  scene.cancel();
  scene.end();
}

void caught_and_rethrown() {
  Scene scene;
  scene.block = [](Scene& me) {
    try {
      pthread_cond_wait(&me.cond, &me.mutex);
    } catch (...) {
      say("catch (...) sees the cancellation");
      throw;
    }
  };
  scene.start(lock_and_block);
  transparency::wait_until_blocked_on(scene.tid, scene.cond);
  scene.cancel();
  scene.end();
}

// glibc ends the whole process then.
void caught_and_kept() {
  Scene scene;
  scene.block = [](Scene& me) {
    try {
      pthread_cond_wait(&me.cond, &me.mutex);
    } catch (...) {
      say("catch (...) keeps the cancellation");
    }
  };
  scene.start(lock_and_block);
  transparency::wait_until_blocked_on(scene.tid, scene.cond);
  scene.cancel();
  scene.end();
}

void crowd() {
  constexpr int kThreads = 150;
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
  static int waiting = 0;
  static int cleaned = 0;
  pthread_t threads[kThreads];
  for (pthread_t& thread : threads) {
    pthread_create(
        &thread, nullptr,
        [](void*) -> void* {
          pthread_mutex_lock(&mutex);
          ++waiting;
          const auto clean = [](void*) {
            ++cleaned;
            pthread_mutex_unlock(&mutex);
          };
          pthread_cleanup_push(clean, nullptr);
          for (;;) pthread_cond_wait(&cond, &mutex);
          pthread_cleanup_pop(1);
          return nullptr;
        },
        nullptr);
  }
  int cancelled = 0;
  for (pthread_t thread : threads) pthread_cancel(thread);
  for (pthread_t thread : threads) {
    void* value = nullptr;
    pthread_join(thread, &value);
    cancelled += value == PTHREAD_CANCELED;
  }
  // A thread that had not come to its first line yet leaves at its wait all the same.
  say("cancelled %d, waiting %d, cleaned %d, trylock %s", cancelled, waiting, cleaned,
      error_name(pthread_mutex_trylock(&mutex)));
}

}  // namespace cancellation
