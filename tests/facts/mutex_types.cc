// Mutexes of every type and protocol, and spinlocks.
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <cerrno>
#include <string>

#include "actor.h"
#include "blocked.h"
#include "expected.h"
#include "locks.h"
#include "situation.h"

namespace facts {
namespace {

// One thread holds, another waits; shown once so and once undone.
void hold_and_wait(pthread_mutex_t& m, Actor& holder, Actor& waiter, const std::string& what) {
  const auto expected = Expected()
                            .text("what", what)
                            .address("lock", &m)
                            .number("holder", holder.tid())
                            .number("waiter", waiter.tid());
  holder.run([&] { must(pthread_mutex_lock(&m) == 0); });
  waiter.start([&] {
    must(pthread_mutex_lock(&m) == 0);
    must(pthread_mutex_unlock(&m) == 0);
  });
  until_blocked(waiter.tid(), m);
  Expected(expected).number("held", 1).show();
  holder.run([&] { must(pthread_mutex_unlock(&m) == 0); });
  waiter.finish();
  must(pthread_mutex_destroy(&m) == 0);
  Expected(expected).number("held", 0).show();
}

void mutex_types() {
  constexpr struct {
    int type;
    const char* name;
  } kTypes[] = {{PTHREAD_MUTEX_NORMAL, "normal"},
                {PTHREAD_MUTEX_ERRORCHECK, "errorcheck"},
                {PTHREAD_MUTEX_RECURSIVE, "recursive"},
                {PTHREAD_MUTEX_ADAPTIVE_NP, "adaptive"}};
  Actor holder;
  Actor waiter;
  for (const auto& [type, name] : kTypes) {
    for (const bool robust : {false, true}) {
      for (const int protocol : {PTHREAD_PRIO_NONE, PTHREAD_PRIO_INHERIT}) {
        for (const bool shared : {false, true}) {
          pthread_mutex_t m;
          make(m, {.type = type, .robust = robust, .protocol = protocol, .shared = shared});
          const bool inherits = protocol == PTHREAD_PRIO_INHERIT;
          hold_and_wait(m, holder, waiter,
                        std::string(name) + (robust ? " robust" : "") +
                            (inherits ? " inheriting" : "") + (shared ? " shared" : ""));
        }
      }
    }
  }
}

// libc lets only threads of a real-time policy take such a mutex.
void become_urgent(Actor& actor) {
  int answer = 0;
  actor.run([&] {
    const sched_param lowest{.sched_priority = 1};
    answer = pthread_setschedparam(pthread_self(), SCHED_FIFO, &lowest);
  });
  if (answer != 0) not_possible_here("no right to a real-time policy");
}

void mutex_protected() {
  Actor holder;
  Actor waiter;
  become_urgent(holder);
  become_urgent(waiter);
  pthread_mutex_t m;
  make(m, {.protocol = PTHREAD_PRIO_PROTECT, .ceiling = 2});
  hold_and_wait(m, holder, waiter, "protected");
}

// Nobody is in the way of these locks.
void mutex_protected_free() {
  Actor holder;
  become_urgent(holder);
  pthread_mutex_t m;
  make(m, {.protocol = PTHREAD_PRIO_PROTECT, .ceiling = 2});
  holder.run([&] {
    for (int i = 0; i < 10; ++i) {
      must(pthread_mutex_lock(&m) == 0);
      must(pthread_mutex_unlock(&m) == 0);
    }
    must(pthread_mutex_lock(&m) == 0);
  });
  Expected().address("lock", &m).number("holder", holder.tid()).show();
  holder.run([&] { must(pthread_mutex_unlock(&m) == 0); });
}

void mutex_refused() {
  pthread_mutex_t m;
  make(m, {.type = PTHREAD_MUTEX_ERRORCHECK});
  Actor holder;
  holder.run([&] {
    must(pthread_mutex_lock(&m) == 0);
    must(pthread_mutex_lock(&m) == EDEADLK);
    const timespec never = in_ms(CLOCK_REALTIME, kNeverMs);
    must(pthread_mutex_timedlock(&m, &never) == EDEADLK);
    must(pthread_mutex_trylock(&m) == EBUSY);
  });
  Expected().number("holder", holder.tid()).address("lock", &m).number("levels", 1).show();
  int other_answer = 0;
  Actor other;
  other.run([&] { other_answer = pthread_mutex_unlock(&m); });
  must(other_answer == EPERM);
  Expected().number("holder", holder.tid()).address("lock", &m).number("levels", 1).show();
  holder.run([&] { must(pthread_mutex_unlock(&m) == 0); });
  Expected().number("holder", holder.tid()).address("lock", &m).number("levels", 0).show();
}

void spin_waited() {
  pthread_spinlock_t s;
  must(pthread_spin_init(&s, PTHREAD_PROCESS_PRIVATE) == 0);
  pthread_spinlock_t tried;
  must(pthread_spin_init(&tried, PTHREAD_PROCESS_PRIVATE) == 0);
  Actor holder;
  Actor waiter;
  const auto expected = Expected()
                            .address("lock", &s)
                            .address("tried", &tried)
                            .number("holder", holder.tid())
                            .number("waiter", waiter.tid());
  int lines[2] = {};
  holder.run([&] {
    lines[0] = __LINE__, must(pthread_spin_lock(&s) == 0);
    must(pthread_spin_trylock(&tried) == 0);
    must(pthread_spin_trylock(&s) == EBUSY);
  });
  std::atomic<bool> about_to{false};
  waiter.start([&] {
    about_to.store(true);
    lines[1] = __LINE__, must(pthread_spin_lock(&s) == 0);
    must(pthread_spin_unlock(&s) == 0);
  });
  while (!about_to.load()) sched_yield();
  Expected(expected).numbers("lines", lines).show();
  holder.run([&] {
    must(pthread_spin_unlock(&tried) == 0);
    must(pthread_spin_unlock(&s) == 0);
  });
  waiter.finish();
  Expected(expected).show();
  must(pthread_spin_destroy(&s) == 0 && pthread_spin_destroy(&tried) == 0);
}

constexpr Situation kSituations[] = {
    {"mutex_types", mutex_types},
    {"mutex_protected", mutex_protected},
    {"mutex_protected_free", mutex_protected_free},
    {"mutex_refused", mutex_refused},
    {"spin_waited", spin_waited},
};

}  // namespace

std::span<const Situation> mutex_type_situations() {
  return kSituations;
}

}  // namespace facts
