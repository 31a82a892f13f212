// Threads that ended while they held a lock.
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <functional>
#include <new>
#include <vector>

#include "actor.h"
#include "blocked.h"
#include "expected.h"
#include "locks.h"
#include "situation.h"

namespace facts {
namespace {

// Does something in a thread that is called "departed", which then ends. Returns its number.
pid_t departs_after(std::function<void()> task) {
  Actor actor("departed");
  actor.run(std::move(task));
  actor.leave();
  return actor.tid();
}

Expected departed(const volatile void* lock, pid_t tid) {
  return Expected().address("lock", lock).number("departed", tid).text("name", "departed");
}

void departed_holding() {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  int line = 0;
  const pid_t tid = departs_after([&] { line = __LINE__, must(pthread_mutex_lock(&m) == 0); });
  departed(&m, tid).number("line", line).show();
  // Whoever waits for it now waits for a thread that is gone.
  Actor waiter;
  waiter.start([&] { must(pthread_mutex_lock(&m) == 0); });
  until_blocked(waiter.tid(), m);
  departed(&m, tid).number("line", line).number("waiter", waiter.tid()).show();
  must(pthread_mutex_unlock(&m) == 0);
  waiter.finish();
  Expected().address("lock", &m).number("waiter", waiter.tid()).show();
  waiter.run([&] { must(pthread_mutex_unlock(&m) == 0); });
}

// By pthread_exit; several locks in each mode, one of them many times.
void departed_with_many() {
  pthread_mutex_t m[40];
  for (auto& one : m) make(one, {.type = PTHREAD_MUTEX_RECURSIVE});
  pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;
  Actor actor("departed");
  actor.run([&] {
    must(pthread_rwlock_rdlock(&l) == 0);
    for (int i = 0; i < 3; ++i) must(pthread_mutex_lock(&m[0]) == 0);
    for (int i = 1; i < 20; ++i) must(pthread_mutex_lock(&m[i]) == 0);
  });
  actor.start([] { pthread_exit(nullptr); });
  actor.join();
  departed(&l, actor.tid()).addresses("mutexes", addresses_of(std::span(m).first(20))).show();
}

// More than anybody keeps of one thread.
void departed_with_70() {
  std::vector<pthread_mutex_t> m(70, PTHREAD_MUTEX_INITIALIZER);
  const pid_t tid = departs_after([&] {
    for (auto& one : m) must(pthread_mutex_lock(&one) == 0);
  });
  departed(nullptr, tid).addresses("mutexes", addresses_of(m)).show();
}

void departed_robust() {
  pthread_mutex_t m;
  make(m, {.robust = true});
  const pid_t tid = departs_after([&] { must(pthread_mutex_lock(&m) == 0); });
  departed(&m, tid).show();
  Actor heir;
  heir.run([&] { must(pthread_mutex_lock(&m) == EOWNERDEAD); });
  const auto expected = Expected().address("lock", &m).number("heir", heir.tid());
  Expected(expected).show();
  heir.run([&] {
    must(pthread_mutex_consistent(&m) == 0);
    must(pthread_mutex_unlock(&m) == 0);
  });
  // The same for one who only tries.
  const pid_t second = departs_after([&] { must(pthread_mutex_lock(&m) == 0); });
  departed(&m, second).show();
  heir.run([&] { must(pthread_mutex_trylock(&m) == EOWNERDEAD); });
  Expected(expected).show();
  heir.run([&] {
    must(pthread_mutex_consistent(&m) == 0);
    must(pthread_mutex_unlock(&m) == 0);
  });
}

// The lock ends, or begins anew: nobody holds it.
void departed_destroyed() {
  pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;
  const pid_t first = departs_after([&] { must(pthread_rwlock_wrlock(&l) == 0); });
  departed(&l, first).show();
  must(pthread_rwlock_destroy(&l) == 0);
  Expected().address("lock", &l).show();
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  const pid_t second = departs_after([&] { must(pthread_mutex_lock(&m) == 0); });
  departed(&m, second).show();
  must(pthread_mutex_init(&m, nullptr) == 0);
  Expected().address("lock", &m).show();
}

// Several that read; each release is for one of them.
void departed_readers() {
  pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;
  int left = 3;
  for (int i = 0; i < left; ++i) departs_after([&] { must(pthread_rwlock_rdlock(&l) == 0); });
  Expected().address("lock", &l).number("left", left).show();
  while (left > 0) {
    must(pthread_rwlock_unlock(&l) == 0);
    Expected().address("lock", &l).number("left", --left).show();
  }
}

// The memory of the lock goes away, and another lock is made in it.
void departed_freed() {
  constexpr std::size_t kBytes = 200;
  void* const memory = std::malloc(kBytes);
  auto* m = new (memory) pthread_mutex_t(PTHREAD_MUTEX_INITIALIZER);
  const pid_t tid = departs_after([&] { must(pthread_mutex_lock(m) == 0); });
  departed(m, tid).show();
  std::free(memory);
  void* const again = std::malloc(kBytes);
  if (again != memory) not_possible_here("malloc does not give the same block again");
  m = new (again) pthread_mutex_t(PTHREAD_MUTEX_INITIALIZER);
  Expected().address("lock", m).show();
  std::free(again);
}

// The thread goes by a system call, unseen by libc.
void departed_raw() {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  Actor* const actor = new Actor("departed");  // libc never learns that it may be freed
  actor->start([&] {
    must(pthread_mutex_lock(&m) == 0);
    syscall(SYS_exit, 0);
  });
  until_gone(actor->tid());
  departed(&m, actor->tid()).show();
}

constexpr Situation kSituations[] = {
    {"departed_holding", departed_holding},     {"departed_with_many", departed_with_many},
    {"departed_with_70", departed_with_70},     {"departed_robust", departed_robust},
    {"departed_destroyed", departed_destroyed}, {"departed_freed", departed_freed},
    {"departed_readers", departed_readers},     {"departed_raw", departed_raw},
};

}  // namespace

std::span<const Situation> departure_situations() {
  return kSituations;
}

}  // namespace facts
