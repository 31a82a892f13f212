// A thread is cancelled while it is blocked in each of the calls.
#include <pthread.h>
#include <sys/syscall.h>
#include <threads.h>
#include <unistd.h>

#include <condition_variable>
#include <mutex>

#include "cancellation/cases.h"
#include "cancellation/scene.h"
#include "support/blocked.h"
#include "support/deadline.h"
#include "support/observed.h"

namespace cancellation {

using transparency::deadline;
using transparency::error_name;
using transparency::Gate;
using transparency::require;
using transparency::say;
using transparency::When;

namespace {

void cancel_in_wait(void (*block)(Scene&)) {
  Scene scene;
  cancel_while_blocked(block, nullptr, scene);
}

}  // namespace

void in_cond_wait() {
  cancel_in_wait([](Scene& scene) { pthread_cond_wait(&scene.cond, &scene.mutex); });
}

void in_cond_timedwait() {
  cancel_in_wait([](Scene& scene) {
    const timespec far = deadline(CLOCK_REALTIME, When::kFar);
    pthread_cond_timedwait(&scene.cond, &scene.mutex, &far);
  });
}

void in_cond_clockwait() {
  cancel_in_wait([](Scene& scene) {
    const timespec far = deadline(CLOCK_MONOTONIC, When::kFar);
    pthread_cond_clockwait(&scene.cond, &scene.mutex, CLOCK_MONOTONIC, &far);
  });
}

// The C11 types are the POSIX ones underneath; glibc promises no more than that they work alike.
void in_cnd_wait() {
  cancel_in_wait([](Scene& scene) {
    cnd_wait(reinterpret_cast<cnd_t*>(&scene.cond), reinterpret_cast<mtx_t*>(&scene.mutex));
  });
}

void in_cnd_timedwait() {
  cancel_in_wait([](Scene& scene) {
    const timespec far = deadline(CLOCK_REALTIME, When::kFar);
    cnd_timedwait(reinterpret_cast<cnd_t*>(&scene.cond), reinterpret_cast<mtx_t*>(&scene.mutex),
                  &far);
  });
}

void in_std_condition_variable() {
  static std::mutex mutex;
  static std::condition_variable cond;
  Scene scene;
  scene.start([](void* data) -> void* {
    std::unique_lock lock(mutex);
    const Noisy noisy("an object behind the lock");
    static_cast<Scene*>(data)->announce();
    for (;;) cond.wait(lock);
  });
  transparency::wait_until_blocked_on(scene.tid, cond);
  scene.cancel();
  scene.end();
  require(mutex.try_lock(), "the unique_lock was given back");
  mutex.unlock();
}

namespace {

// The joined thread stays joinable: the cancelled joiner must not have eaten it.
pthread_t g_joined;

void cancel_in_join(void (*block)(Scene&)) {
  Gate gate;
  pthread_create(
      &g_joined, nullptr,
      [](void* door) -> void* {
        static_cast<Gate*>(door)->pass();
        return door;
      },
      &gate);
  Scene scene;
  cancel_while_blocked(block, reinterpret_cast<void*>(g_joined), scene);
  gate.open();
  void* value = nullptr;
  const int joined = pthread_join(g_joined, &value);
  say("the joined thread: join %s, value %s", error_name(joined), value_name(value));
}

}  // namespace

void in_join() {
  cancel_in_join([](Scene&) { pthread_join(g_joined, nullptr); });
}

void in_timedjoin() {
  cancel_in_join([](Scene&) {
    const timespec far = deadline(CLOCK_REALTIME, When::kFar);
    pthread_timedjoin_np(g_joined, nullptr, &far);
  });
}

void in_clockjoin() {
  cancel_in_join([](Scene&) {
    const timespec far = deadline(CLOCK_MONOTONIC, When::kFar);
    pthread_clockjoin_np(g_joined, nullptr, CLOCK_MONOTONIC, &far);
  });
}

namespace {

int g_pipe[2];

}  // namespace

void in_read() {
  require(pipe(g_pipe) == 0, "a pipe");
  Scene scene;
  scene.block = [](Scene&) {
    char byte;
    if (read(g_pipe[0], &byte, 1) != 0) return;
  };
  scene.start(lock_and_block);
  transparency::wait_until_in_call(scene.tid, SYS_read);
  scene.cancel();
  scene.end();
}

namespace {

// Neither kind of lock is a cancellation point: the thread stays until it has the lock, and leaves
// at the next point.
template <typename Lock>
void not_a_point(Lock& lock, int (*take)(Lock*), int (*give)(Lock*)) {
  struct Blocked : Scene {
    Lock* lock;
    int (*take)(Lock*);
    int (*give)(Lock*);
    int taken = -1;
    int given = -1;
  } scene;
  scene.lock = &lock;
  scene.take = take;
  scene.give = give;
  take(&lock);
  scene.start([](void* data) -> void* {
    auto& me = *static_cast<Blocked*>(static_cast<Scene*>(data));
    const Noisy noisy("an object beside the lock");
    me.announce();
    me.taken = me.take(me.lock);
    me.given = me.give(me.lock);
    pthread_testcancel();  // as any write would be, so that nothing is said before
    say("never reached");
    return nullptr;
  });
  transparency::wait_until_blocked_on(scene.tid, lock);
  scene.cancel();
  // Still there: what it sleeps on has not changed.
  transparency::wait_until_blocked_on(scene.tid, lock);
  say("tryjoin %s", error_name(pthread_tryjoin_np(scene.victim, nullptr)));
  give(&lock);
  scene.end();
  say("it got lock %s, unlock %s", error_name(scene.taken), error_name(scene.given));
}

}  // namespace

void in_mutex_lock() {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  not_a_point(mutex, pthread_mutex_lock, pthread_mutex_unlock);
}

void in_rwlock_wrlock() {
  pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
  not_a_point(rwlock, pthread_rwlock_wrlock, pthread_rwlock_unlock);
}

void in_mtx_lock() {
  mtx_t mutex;
  mtx_init(&mutex, mtx_plain);
  not_a_point(mutex, mtx_lock, mtx_unlock);
}

}  // namespace cancellation
