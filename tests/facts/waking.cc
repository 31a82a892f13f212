// Waits for what others give: tokens, the others at a barrier, the end of an initializer.
#include <pthread.h>
#include <semaphore.h>

#include "actor.h"
#include "blocked.h"
#include "expected.h"
#include "situation.h"

namespace facts {
namespace {

void semaphore_waited() {
  static sem_t semaphore;
  must(sem_init(&semaphore, 0, 0) == 0);
  Actor waiter;
  int line = 0;
  waiter.start([&] { line = __LINE__, must(sem_wait(&semaphore) == 0); });
  until_blocked(waiter.tid(), semaphore);
  const auto expected = [&](const char* state) {
    return Expected()
        .address("semaphore", &semaphore)
        .number("waiter", waiter.tid())
        .number("line", line)
        .text("state", state);
  };
  expected("waits").show();
  must(sem_post(&semaphore) == 0);
  waiter.finish();
  expected("gone on").show();
  waiter.start([&] {
    timespec end{};
    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_sec += 1000;
    must(sem_timedwait(&semaphore, &end) == 0);
  });
  until_blocked(waiter.tid(), semaphore);
  expected("waits for a time").show();
  must(sem_post(&semaphore) == 0);
  waiter.finish();
  must(sem_destroy(&semaphore) == 0);
}

void semaphore_cancelled() {
  static sem_t semaphore;
  must(sem_init(&semaphore, 0, 0) == 0);
  Actor waiter;
  waiter.start([&] { sem_wait(&semaphore); });
  until_blocked(waiter.tid(), semaphore);
  must(pthread_cancel(waiter.handle()) == 0);
  waiter.join();
  Expected().number("waiter", waiter.tid()).show();
}

void barrier_waited() {
  static pthread_barrier_t barrier;
  must(pthread_barrier_init(&barrier, nullptr, 2) == 0);
  Actor waiter;
  int line = 0;
  waiter.start([&] { line = __LINE__, pthread_barrier_wait(&barrier); });
  until_blocked(waiter.tid(), barrier);
  const auto expected = [&] {
    return Expected()
        .address("barrier", &barrier)
        .number("waiter", waiter.tid())
        .number("line", line);
  };
  expected().show();
  pthread_barrier_wait(&barrier);
  waiter.finish();
  expected().show();
}

Gate initializer_runs;
Gate initializer_may_end;

void once_waited() {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  Actor first;
  Actor second;
  int first_line = 0;
  int second_line = 0;
  first.start([&] {
    first_line = __LINE__ + 1;
    pthread_once(&once, [] {
      initializer_runs.open();
      initializer_may_end.pass();
    });
  });
  initializer_runs.pass();
  second.start([&] { second_line = __LINE__, pthread_once(&once, [] {}); });
  until_blocked(second.tid(), once);
  const auto expected = [&] {
    return Expected()
        .address("once", &once)
        .number("first", first.tid())
        .number("second", second.tid())
        .number("first_line", first_line)
        .number("second_line", second_line);
  };
  expected().show();
  initializer_may_end.open();
  first.finish();
  second.finish();
  expected().show();
}

constexpr Situation kSituations[] = {
    {"semaphore_waited", semaphore_waited},
    {"semaphore_cancelled", semaphore_cancelled},
    {"barrier_waited", barrier_waited},
    {"once_waited", once_waited},
};

}  // namespace

std::span<const Situation> waking_situations() {
  return kSituations;
}

}  // namespace facts
