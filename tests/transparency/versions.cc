// Programs linked long ago ask for the old versions of the functions. Each old one is called beside
// the present one; for condition variables they are different functions with a different layout.
#include <pthread.h>
#include <threads.h>

#include <cerrno>
#include <cstring>

#include "support/blocked.h"
#include "support/bystander.h"
#include "support/deadline.h"
#include "support/driver.h"
#include "support/observed.h"

#define OLD_VERSION(function, version)          \
  extern "C" decltype(function) old_##function; \
  __asm__(".symver old_" #function "," #function "@" version)

OLD_VERSION(pthread_mutex_timedlock, "GLIBC_2.2.5");
OLD_VERSION(pthread_mutex_trylock, "GLIBC_2.2.5");
OLD_VERSION(pthread_mutex_clocklock, "GLIBC_2.30");
OLD_VERSION(pthread_mutex_consistent, "GLIBC_2.12");
OLD_VERSION(pthread_rwlock_init, "GLIBC_2.2.5");
OLD_VERSION(pthread_rwlock_destroy, "GLIBC_2.2.5");
OLD_VERSION(pthread_rwlock_rdlock, "GLIBC_2.2.5");
OLD_VERSION(pthread_rwlock_wrlock, "GLIBC_2.2.5");
OLD_VERSION(pthread_rwlock_tryrdlock, "GLIBC_2.2.5");
OLD_VERSION(pthread_rwlock_trywrlock, "GLIBC_2.2.5");
OLD_VERSION(pthread_rwlock_timedrdlock, "GLIBC_2.2.5");
OLD_VERSION(pthread_rwlock_timedwrlock, "GLIBC_2.2.5");
OLD_VERSION(pthread_rwlock_clockrdlock, "GLIBC_2.30");
OLD_VERSION(pthread_rwlock_clockwrlock, "GLIBC_2.30");
OLD_VERSION(pthread_rwlock_unlock, "GLIBC_2.2.5");
OLD_VERSION(pthread_spin_init, "GLIBC_2.2.5");
OLD_VERSION(pthread_spin_destroy, "GLIBC_2.2.5");
OLD_VERSION(pthread_spin_lock, "GLIBC_2.2.5");
OLD_VERSION(pthread_spin_trylock, "GLIBC_2.2.5");
OLD_VERSION(pthread_spin_unlock, "GLIBC_2.2.5");
OLD_VERSION(pthread_cond_init, "GLIBC_2.2.5");
OLD_VERSION(pthread_cond_destroy, "GLIBC_2.2.5");
OLD_VERSION(pthread_cond_wait, "GLIBC_2.2.5");
OLD_VERSION(pthread_cond_timedwait, "GLIBC_2.2.5");
OLD_VERSION(pthread_cond_signal, "GLIBC_2.2.5");
OLD_VERSION(pthread_cond_broadcast, "GLIBC_2.2.5");
OLD_VERSION(pthread_cond_clockwait, "GLIBC_2.30");
OLD_VERSION(pthread_create, "GLIBC_2.2.5");
OLD_VERSION(pthread_join, "GLIBC_2.2.5");
OLD_VERSION(pthread_detach, "GLIBC_2.2.5");
OLD_VERSION(pthread_tryjoin_np, "GLIBC_2.3.3");
OLD_VERSION(pthread_timedjoin_np, "GLIBC_2.3.3");
OLD_VERSION(pthread_clockjoin_np, "GLIBC_2.31");
OLD_VERSION(pthread_setname_np, "GLIBC_2.12");
OLD_VERSION(mtx_init, "GLIBC_2.28");
OLD_VERSION(mtx_lock, "GLIBC_2.28");
OLD_VERSION(mtx_trylock, "GLIBC_2.28");
OLD_VERSION(mtx_timedlock, "GLIBC_2.28");
OLD_VERSION(mtx_unlock, "GLIBC_2.28");
OLD_VERSION(mtx_destroy, "GLIBC_2.28");
OLD_VERSION(cnd_init, "GLIBC_2.28");
OLD_VERSION(cnd_wait, "GLIBC_2.28");
OLD_VERSION(cnd_timedwait, "GLIBC_2.28");
OLD_VERSION(cnd_signal, "GLIBC_2.28");
OLD_VERSION(cnd_broadcast, "GLIBC_2.28");
OLD_VERSION(cnd_destroy, "GLIBC_2.28");
OLD_VERSION(thrd_create, "GLIBC_2.28");
OLD_VERSION(thrd_join, "GLIBC_2.28");
OLD_VERSION(thrd_detach, "GLIBC_2.28");

namespace {

using transparency::Bystander;
using transparency::deadline;
using transparency::error_name;
using transparency::Gate;
using transparency::say;
using transparency::When;

void tell(const char* what, int result) {
  say("%s %s", what, error_name(result));
}

void mutexes() {
  Bystander other;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  const timespec near_realtime = deadline(CLOCK_REALTIME, When::kNear);
  const timespec near_monotonic = deadline(CLOCK_MONOTONIC, When::kNear);
  tell("old trylock", old_pthread_mutex_trylock(&mutex));
  other.run([&] {
    tell("other's trylock", pthread_mutex_trylock(&mutex));
    tell("other's old trylock", old_pthread_mutex_trylock(&mutex));
    tell("other's old timedlock", old_pthread_mutex_timedlock(&mutex, &near_realtime));
    tell("other's old clocklock",
         old_pthread_mutex_clocklock(&mutex, CLOCK_MONOTONIC, &near_monotonic));
  });
  tell("unlock", pthread_mutex_unlock(&mutex));
  tell("old timedlock", old_pthread_mutex_timedlock(&mutex, &near_realtime));
  tell("unlock", pthread_mutex_unlock(&mutex));
  tell("old consistent", old_pthread_mutex_consistent(&mutex));
}

void rwlocks() {
  Bystander other;
  pthread_rwlock_t rwlock;
  const timespec near_realtime = deadline(CLOCK_REALTIME, When::kNear);
  const timespec near_monotonic = deadline(CLOCK_MONOTONIC, When::kNear);
  tell("old init", old_pthread_rwlock_init(&rwlock, nullptr));
  tell("old rdlock", old_pthread_rwlock_rdlock(&rwlock));
  tell("old tryrdlock", old_pthread_rwlock_tryrdlock(&rwlock));
  tell("rdlock", pthread_rwlock_rdlock(&rwlock));
  other.run([&] {
    tell("other's old trywrlock", old_pthread_rwlock_trywrlock(&rwlock));
    tell("other's old timedwrlock", old_pthread_rwlock_timedwrlock(&rwlock, &near_realtime));
    tell("other's old clockwrlock",
         old_pthread_rwlock_clockwrlock(&rwlock, CLOCK_MONOTONIC, &near_monotonic));
  });
  tell("unlock", pthread_rwlock_unlock(&rwlock));
  tell("old unlock", old_pthread_rwlock_unlock(&rwlock));
  tell("old unlock", old_pthread_rwlock_unlock(&rwlock));
  tell("old wrlock", old_pthread_rwlock_wrlock(&rwlock));
  tell("old wrlock again", old_pthread_rwlock_wrlock(&rwlock));
  other.run([&] {
    tell("other's old timedrdlock", old_pthread_rwlock_timedrdlock(&rwlock, &near_realtime));
    tell("other's old clockrdlock",
         old_pthread_rwlock_clockrdlock(&rwlock, CLOCK_MONOTONIC, &near_monotonic));
  });
  tell("unlock", pthread_rwlock_unlock(&rwlock));
  tell("old destroy", old_pthread_rwlock_destroy(&rwlock));
}

void spin_locks() {
  pthread_spinlock_t spin;
  tell("old init", old_pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE));
  tell("old lock", old_pthread_spin_lock(&spin));
  tell("old trylock", old_pthread_spin_trylock(&spin));
  tell("unlock", pthread_spin_unlock(&spin));
  tell("old trylock", old_pthread_spin_trylock(&spin));
  tell("old unlock", old_pthread_spin_unlock(&spin));
  tell("old destroy", old_pthread_spin_destroy(&spin));
}

// The old functions keep a pointer in the object, to a condition variable made on first use.
void* hidden_pointer(const pthread_cond_t& cond) {
  void* pointer = nullptr;
  std::memcpy(&pointer, &cond, sizeof pointer);
  return pointer;
}

struct Turns {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t cond{};
  int turn = 0;
  int taken[2]{};

  // Both threads wait in turn: one with a deadline that never comes, one without.
  void take(int mine, int rounds) {
    const timespec far = deadline(CLOCK_REALTIME, When::kFar);
    for (int i = 0; i < rounds; ++i) {
      pthread_mutex_lock(&mutex);
      while (turn != mine) {
        mine == 0 ? old_pthread_cond_wait(&cond, &mutex)
                  : old_pthread_cond_timedwait(&cond, &mutex, &far);
      }
      ++taken[mine];
      turn = 1 - mine;
      i % 2 == 0 ? old_pthread_cond_signal(&cond) : old_pthread_cond_broadcast(&cond);
      pthread_mutex_unlock(&mutex);
    }
  }
};

void conditions_of_old() {
  Turns turns;
  say("statically made, pointer %s", hidden_pointer(turns.cond) ? "set" : "null");
  const timespec near = deadline(CLOCK_REALTIME, When::kNear);
  pthread_mutex_lock(&turns.mutex);
  tell("old timedwait near", old_pthread_cond_timedwait(&turns.cond, &turns.mutex, &near));
  say("used, pointer %s", hidden_pointer(turns.cond) ? "set" : "null");
  tell("trylock", pthread_mutex_trylock(&turns.mutex));
  pthread_mutex_unlock(&turns.mutex);
  Bystander other;
  other.start([&] { turns.take(1, 200); });
  turns.take(0, 200);
  other.finish();
  say("turns %d and %d", turns.taken[0], turns.taken[1]);
  tell("old destroy", old_pthread_cond_destroy(&turns.cond));
  pthread_cond_t made;
  std::memset(&made, 0xff, sizeof made);
  tell("old init", old_pthread_cond_init(&made, nullptr));
  tell("old signal without a waiter", old_pthread_cond_signal(&made));
  tell("old broadcast without a waiter", old_pthread_cond_broadcast(&made));
  tell("old destroy", old_pthread_cond_destroy(&made));
}

// A present condition variable lives in the object itself: no pointer, and none may be written.
void conditions_of_today() {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
  const timespec near = deadline(CLOCK_REALTIME, When::kNear);
  const timespec near_monotonic = deadline(CLOCK_MONOTONIC, When::kNear);
  pthread_mutex_lock(&mutex);
  tell("timedwait near", pthread_cond_timedwait(&cond, &mutex, &near));
  tell("clockwait near", pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &near_monotonic));
  tell("old clockwait near",
       old_pthread_cond_clockwait(&cond, &mutex, CLOCK_MONOTONIC, &near_monotonic));
  Bystander other;
  other.start([&] {
    pthread_mutex_lock(&mutex);
    pthread_cond_signal(&cond);
    pthread_mutex_unlock(&mutex);
  });
  tell("wait", pthread_cond_wait(&cond, &mutex));
  other.finish();
  pthread_mutex_unlock(&mutex);
  tell("destroy", pthread_cond_destroy(&cond));
}

void* pass(void* gate) {
  static_cast<Gate*>(gate)->pass();
  return gate;
}

void threads_of_old() {
  static Gate gate;
  const timespec near = deadline(CLOCK_REALTIME, When::kNear);
  const timespec far = deadline(CLOCK_MONOTONIC, When::kFar);
  pthread_t threads[3]{};
  for (pthread_t& thread : threads) {
    tell("old create", old_pthread_create(&thread, nullptr, pass, &gate));
  }
  tell("old setname", old_pthread_setname_np(threads[0], "of-old"));
  tell("old tryjoin", old_pthread_tryjoin_np(threads[0], nullptr));
  tell("old timedjoin", old_pthread_timedjoin_np(threads[0], nullptr, &near));
  tell("old detach", old_pthread_detach(threads[2]));
  gate.open();
  void* value = nullptr;
  tell("old join", old_pthread_join(threads[0], &value));
  say("value %s", value == &gate ? "right" : "wrong");
  tell("old clockjoin", old_pthread_clockjoin_np(threads[1], &value, CLOCK_MONOTONIC, &far));
  say("value %s", value == &gate ? "right" : "wrong");
}

void c11_of_old() {
  static mtx_t mutex;
  static cnd_t cond;
  static bool ready = false;
  const timespec near = deadline(CLOCK_REALTIME, When::kNear);
  say("old mtx_init %d, cnd_init %d", old_mtx_init(&mutex, mtx_timed), old_cnd_init(&cond));
  say("old mtx_lock %d", old_mtx_lock(&mutex));
  say("old mtx_trylock %d", old_mtx_trylock(&mutex));
  say("old mtx_timedlock %d", old_mtx_timedlock(&mutex, &near));
  say("old cnd_timedwait %d", old_cnd_timedwait(&cond, &mutex, &near));
  thrd_t thread{};
  const auto make_ready = [](void*) -> int {
    mtx_lock(&mutex);
    ready = true;
    old_cnd_signal(&cond);
    old_cnd_broadcast(&cond);
    old_mtx_unlock(&mutex);
    return 23;
  };
  say("old thrd_create %d", old_thrd_create(&thread, make_ready, nullptr));
  while (!ready) old_cnd_wait(&cond, &mutex);
  say("old mtx_unlock %d", old_mtx_unlock(&mutex));
  int value = 0;
  const int joined = old_thrd_join(thread, &value);
  say("old thrd_join %d, value %d", joined, value);
  static Gate ran;
  const auto open_gate = [](void*) -> int {
    ran.open();
    return 0;
  };
  thrd_create(&thread, open_gate, nullptr);
  say("old thrd_detach %d", old_thrd_detach(thread));
  ran.pass();
  old_cnd_destroy(&cond);
  old_mtx_destroy(&mutex);
}

constexpr transparency::Case kCases[] = {
    {"mutexes", mutexes},
    {"rwlocks", rwlocks},
    {"spin-locks", spin_locks},
    {"conditions-of-old", conditions_of_old},
    {"conditions-of-today", conditions_of_today},
    {"threads-of-old", threads_of_old},
    {"c11-of-old", c11_of_old},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
