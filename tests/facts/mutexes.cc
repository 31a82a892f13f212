// Plain mutexes: held, waited for, nested, many at once, tried.
#include <pthread.h>

#include <cerrno>
#include <span>
#include <vector>

#include "actor.h"
#include "blocked.h"
#include "expected.h"
#include "locks.h"
#include "situation.h"

namespace facts {
namespace {

using Mutexes = std::vector<pthread_mutex_t>;

Mutexes mutexes(size_t count) {
  return Mutexes(count, PTHREAD_MUTEX_INITIALIZER);
}
std::vector<const volatile void*> from(Mutexes& m, size_t first, size_t end) {
  return addresses_of(std::span(m).subspan(first, end - first));
}

void lock(pthread_mutex_t& m) {
  must(pthread_mutex_lock(&m) == 0);
}
void unlock(pthread_mutex_t& m) {
  must(pthread_mutex_unlock(&m) == 0);
}

void mutex_held() {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  Actor holder;
  const auto expected = Expected().number("holder", holder.tid()).address("lock", &m);
  Expected(expected).show();
  int line = 0;
  holder.run([&] { line = __LINE__, must(pthread_mutex_lock(&m) == 0); });
  Expected(expected).number("line", line).show();
  holder.run([&] { unlock(m); });
  Expected(expected).show();
}

void mutex_waited() {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  Actor holder("holder");
  Actor waiters[3];
  holder.run([&] { lock(m); });
  int line = 0;
  for (Actor& waiter : waiters) {
    waiter.start([&] {
      line = __LINE__, must(pthread_mutex_lock(&m) == 0);
      unlock(m);
    });
    until_blocked(waiter.tid(), m);
  }
  const int tids[] = {waiters[0].tid(), waiters[1].tid(), waiters[2].tid()};
  const auto expected =
      Expected().number("holder", holder.tid()).address("lock", &m).numbers("waiters", tids);
  Expected(expected).number("line", line).show();
  holder.run([&] { unlock(m); });
  for (Actor& waiter : waiters) waiter.finish();
  Expected(expected).show();
}

void mutex_nested() {
  Mutexes m = mutexes(4);
  Actor holder;
  const auto show = [&](std::vector<const volatile void*> held) {
    Expected().number("holder", holder.tid()).addresses("held", held).show();
  };
  holder.run([&] {
    for (size_t i = 0; i < 3; ++i) lock(m[i]);
  });
  show({&m[0], &m[1], &m[2]});
  // Released out of order: from the middle, then from below.
  holder.run([&] {
    lock(m[3]);
    unlock(m[1]);
  });
  show({&m[0], &m[2], &m[3]});
  holder.run([&] { unlock(m[0]); });
  show({&m[2], &m[3]});
  holder.run([&] { lock(m[0]); });
  show({&m[2], &m[3], &m[0]});
  holder.run([&] {
    for (const size_t i : {0U, 3U, 2U}) unlock(m[i]);
  });
  show({});
}

void mutexes_200() {
  Mutexes m = mutexes(200);
  Actor holder;
  const auto show = [&](size_t first, size_t end) {
    Expected().number("holder", holder.tid()).addresses("held", from(m, first, end)).show();
  };
  const auto lock_all = [&] {
    for (auto& one : m) lock(one);
  };
  holder.run(lock_all);
  show(0, 200);
  holder.run([&] {
    for (size_t i = 200; i-- > 50;) unlock(m[i]);
  });
  show(0, 50);
  holder.run([&] {
    for (size_t i = 50; i < 200; ++i) lock(m[i]);
    for (size_t i = 0; i < 100; ++i) unlock(m[i]);
  });
  show(100, 200);
  holder.run([&] {
    for (size_t i = 100; i < 200; ++i) unlock(m[i]);
  });
  show(200, 200);
}

void mutex_recursive() {
  Mutexes below = mutexes(70);
  pthread_mutex_t m;
  make(m, {.type = PTHREAD_MUTEX_RECURSIVE});
  Actor holder;
  const auto show = [&](int levels) {
    Expected().number("holder", holder.tid()).address("lock", &m).number("levels", levels).show();
  };
  holder.run([&] {
    for (int i = 0; i < 5; ++i) lock(m);
  });
  show(5);
  holder.run([&] {
    for (int i = 0; i < 2; ++i) unlock(m);
  });
  show(3);
  holder.run([&] {
    must(pthread_mutex_trylock(&m) == 0);
    const timespec never = in_ms(CLOCK_REALTIME, kNeverMs);
    must(pthread_mutex_timedlock(&m, &never) == 0);
  });
  show(5);
  holder.run([&] {
    for (int i = 0; i < 5; ++i) unlock(m);
  });
  show(0);
  // Beyond the holds that a thread has room for inline.
  holder.run([&] {
    for (auto& one : below) lock(one);
    for (int i = 0; i < 5; ++i) lock(m);
  });
  show(5);
  holder.run([&] {
    for (int i = 0; i < 2; ++i) unlock(m);
  });
  show(3);
  holder.run([&] {
    for (int i = 0; i < 3; ++i) unlock(m);
    for (auto& one : below) unlock(one);
  });
}

void mutex_tried() {
  Mutexes m = mutexes(4);
  pthread_mutex_t& busy = m[3];
  Actor holder;
  Actor other;
  other.run([&] { lock(busy); });
  int lines[3] = {};
  holder.run([&] {
    const timespec realtime = in_ms(CLOCK_REALTIME, kNeverMs);
    const timespec monotonic = in_ms(CLOCK_MONOTONIC, kNeverMs);
    lines[0] = __LINE__, must(pthread_mutex_trylock(&m[0]) == 0);
    lines[1] = __LINE__, must(pthread_mutex_timedlock(&m[1], &realtime) == 0);
    lines[2] = __LINE__, must(pthread_mutex_clocklock(&m[2], CLOCK_MONOTONIC, &monotonic) == 0);
    // These leave no hold.
    must(pthread_mutex_trylock(&busy) == EBUSY);
    for (const long ms : {-1, 20}) {
      const timespec soon = in_ms(CLOCK_REALTIME, ms);
      must(pthread_mutex_timedlock(&busy, &soon) == ETIMEDOUT);
      const timespec soon_too = in_ms(CLOCK_MONOTONIC, ms);
      must(pthread_mutex_clocklock(&busy, CLOCK_MONOTONIC, &soon_too) == ETIMEDOUT);
    }
  });
  Expected expected;
  expected.number("holder", holder.tid()).number("other", other.tid()).numbers("lines", lines);
  expected.addresses("held", from(m, 0, 3)).address("busy", &busy);
  expected.show();
  holder.start([&] {
    const timespec never = in_ms(CLOCK_REALTIME, kNeverMs);
    must(pthread_mutex_timedlock(&busy, &never) == 0);
    for (auto& one : m) unlock(one);
  });
  until_blocked(holder.tid(), busy);
  expected.show();
  other.run([&] { unlock(busy); });
  holder.finish();
}

constexpr Situation kSituations[] = {
    {"mutex_held", mutex_held},           {"mutex_waited", mutex_waited},
    {"mutex_nested", mutex_nested},       {"mutexes_200", mutexes_200},
    {"mutex_recursive", mutex_recursive}, {"mutex_tried", mutex_tried},
};

}  // namespace

std::span<const Situation> mutex_situations() {
  return kSituations;
}

}  // namespace facts
