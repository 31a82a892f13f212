// Read-write locks.
#include <pthread.h>

#include <cerrno>

#include "actor.h"
#include "blocked.h"
#include "expected.h"
#include "locks.h"
#include "situation.h"

namespace facts {
namespace {

void unlock(pthread_rwlock_t& l) {
  must(pthread_rwlock_unlock(&l) == 0);
}

void readers_and_writer() {
  pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;
  Actor readers[2];
  Actor writer;
  int lines[2] = {};
  for (Actor& reader : readers) {
    reader.run([&] { lines[0] = __LINE__, must(pthread_rwlock_rdlock(&l) == 0); });
  }
  writer.start([&] {
    lines[1] = __LINE__, must(pthread_rwlock_wrlock(&l) == 0);
    unlock(l);
  });
  until_blocked(writer.tid(), l);
  const int tids[] = {readers[0].tid(), readers[1].tid()};
  const auto expected =
      Expected().address("lock", &l).numbers("readers", tids).number("writer", writer.tid());
  Expected(expected).numbers("lines", lines).show();
  for (Actor& reader : readers) reader.run([&] { unlock(l); });
  writer.finish();
  Expected(expected).show();
}

void writer_and_reader() {
  pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;
  Actor reader;
  Actor writer;
  int lines[2] = {};
  writer.run([&] { lines[0] = __LINE__, must(pthread_rwlock_wrlock(&l) == 0); });
  reader.start([&] { lines[1] = __LINE__, must(pthread_rwlock_rdlock(&l) == 0); });
  until_blocked(reader.tid(), l);
  const auto expected =
      Expected().address("lock", &l).number("reader", reader.tid()).number("writer", writer.tid());
  Expected(expected).numbers("lines", lines).show();
  writer.run([&] { unlock(l); });
  reader.finish();
  Expected(expected).show();
  reader.run([&] { unlock(l); });
}

// A kind of lock that prefers writers: a new reader waits behind a writer that waits.
void reader_behind_writer() {
  pthread_rwlock_t l;
  make(l, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
  Actor first;
  Actor writer;
  Actor second;
  first.run([&] { must(pthread_rwlock_rdlock(&l) == 0); });
  writer.start([&] {
    must(pthread_rwlock_wrlock(&l) == 0);
    unlock(l);
  });
  until_blocked(writer.tid(), l);
  second.start([&] {
    must(pthread_rwlock_rdlock(&l) == 0);
    unlock(l);
  });
  until_blocked(second.tid(), l);
  Expected()
      .address("lock", &l)
      .number("first", first.tid())
      .number("writer", writer.tid())
      .number("second", second.tid())
      .show();
  first.run([&] { unlock(l); });
  writer.finish();
  second.finish();
}

void rwlock_tried() {
  pthread_rwlock_t l[7];
  for (auto& one : l) make(one, PTHREAD_RWLOCK_DEFAULT_NP);
  pthread_rwlock_t& busy = l[6];
  Actor holder;
  Actor other;
  other.run([&] { must(pthread_rwlock_wrlock(&busy) == 0); });
  holder.run([&] {
    const timespec realtime = in_ms(CLOCK_REALTIME, kNeverMs);
    const timespec monotonic = in_ms(CLOCK_MONOTONIC, kNeverMs);
    must(pthread_rwlock_tryrdlock(&l[0]) == 0);
    must(pthread_rwlock_trywrlock(&l[1]) == 0);
    must(pthread_rwlock_timedrdlock(&l[2], &realtime) == 0);
    must(pthread_rwlock_timedwrlock(&l[3], &realtime) == 0);
    must(pthread_rwlock_clockrdlock(&l[4], CLOCK_MONOTONIC, &monotonic) == 0);
    must(pthread_rwlock_clockwrlock(&l[5], CLOCK_MONOTONIC, &monotonic) == 0);
    // These leave no hold.
    must(pthread_rwlock_tryrdlock(&busy) == EBUSY && pthread_rwlock_trywrlock(&busy) == EBUSY);
    for (const long ms : {-1, 20}) {
      const timespec soon = in_ms(CLOCK_REALTIME, ms);
      must(pthread_rwlock_timedrdlock(&busy, &soon) == ETIMEDOUT);
      must(pthread_rwlock_timedwrlock(&busy, &soon) == ETIMEDOUT);
    }
    must(pthread_rwlock_rdlock(&l[1]) == EDEADLK && pthread_rwlock_wrlock(&l[1]) == EDEADLK);
  });
  Expected()
      .number("holder", holder.tid())
      .number("other", other.tid())
      .addresses("held", addresses_of(std::span(l).first(6)))
      .address("busy", &busy)
      .show();
  for (auto& one : std::span(l).first(6)) holder.run([&] { unlock(one); });
  other.run([&] { unlock(busy); });
}

// One thread reads twice.
void reader_twice() {
  pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;
  Actor reader;
  const auto show = [&](int holds) {
    Expected().number("reader", reader.tid()).address("lock", &l).number("holds", holds).show();
  };
  reader.run([&] {
    for (int i = 0; i < 2; ++i) must(pthread_rwlock_rdlock(&l) == 0);
  });
  show(2);
  reader.run([&] { unlock(l); });
  show(1);
  reader.run([&] { unlock(l); });
  show(0);
}

constexpr Situation kSituations[] = {
    {"readers_and_writer", readers_and_writer},
    {"writer_and_reader", writer_and_reader},
    {"reader_behind_writer", reader_behind_writer},
    {"rwlock_tried", rwlock_tried},
    {"reader_twice", reader_twice},
};

}  // namespace

std::span<const Situation> rwlock_situations() {
  return kSituations;
}

}  // namespace facts
