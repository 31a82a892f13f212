// Locks that end, and others that begin where they were.
#include <pthread.h>

#include <cstdlib>
#include <new>

#include "actor.h"
#include "blocked.h"
#include "expected.h"
#include "situation.h"

namespace facts {
namespace {

// A lock matters when it is taken while another is held.
struct Nest {
  pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER;
  Actor holder;

  void take(pthread_mutex_t& inner) {
    holder.run([&] {
      must(pthread_mutex_lock(&outer) == 0);
      must(pthread_mutex_lock(&inner) == 0);
    });
  }
  void release(pthread_mutex_t& inner) {
    holder.run([&] {
      must(pthread_mutex_unlock(&inner) == 0);
      must(pthread_mutex_unlock(&outer) == 0);
    });
  }
  // Taken, shown, released.
  void show(pthread_mutex_t& inner, int life) {
    take(inner);
    const volatile void* const held[] = {&outer, &inner};
    Expected()
        .number("holder", holder.tid())
        .addresses("held", held)
        .address("lock", &inner)
        .number("life", life)
        .show();
    release(inner);
  }
};

void mutex_destroyed() {
  Nest nest;
  pthread_mutex_t m;
  for (const int life : {1, 2, 3}) {
    must(pthread_mutex_init(&m, nullptr) == 0);
    nest.show(m, life);
    nest.show(m, life);
    must(pthread_mutex_destroy(&m) == 0);
  }
}

// The same without a destroy call: a std::mutex has none.
void mutex_freed() {
  Nest nest;
  constexpr std::size_t kBytes = 200;
  void* memory = std::malloc(kBytes);
  for (const int life : {1, 2, 3}) {
    auto* const m = new (memory) pthread_mutex_t(PTHREAD_MUTEX_INITIALIZER);
    nest.show(*m, life);
    std::free(memory);
    void* const again = std::malloc(kBytes);
    if (again != memory) not_possible_here("malloc does not give the same block again");
    memory = again;
  }
  std::free(memory);
}

// What a lock's record counts: three waits, the last of them a long one.
void mutex_contended() {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  Actor holder;
  Actor waiter;
  const auto expected = Expected()
                            .address("lock", &m)
                            .number("holder", holder.tid())
                            .number("waiter", waiter.tid())
                            .number("contended", 3);
  for (const bool last : {false, false, true}) {
    holder.run([&] { must(pthread_mutex_lock(&m) == 0); });
    waiter.start([&] { must(pthread_mutex_lock(&m) == 0); });
    until_blocked(waiter.tid(), m);
    if (last) Expected(expected).text("state", "waits").show();
    holder.run([&] { must(pthread_mutex_unlock(&m) == 0); });
    waiter.finish();
    if (last) Expected(expected).text("state", "has it").show();
    waiter.run([&] { must(pthread_mutex_unlock(&m) == 0); });
  }
}

constexpr Situation kSituations[] = {
    {"mutex_destroyed", mutex_destroyed},
    {"mutex_freed", mutex_freed},
    {"mutex_contended", mutex_contended},
};

}  // namespace

std::span<const Situation> mutex_life_situations() {
  return kSituations;
}

}  // namespace facts
