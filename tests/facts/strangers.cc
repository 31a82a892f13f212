// Locks that another thread releases than the one that took them.
#include <pthread.h>
#include <ucontext.h>

#include <vector>

#include "actor.h"
#include "blocked.h"
#include "expected.h"
#include "locks.h"
#include "situation.h"

namespace facts {
namespace {

// `take` in one thread, shown; `give` in another, shown.
template <typename Lock, typename Take, typename Give>
void pass_on(const char* kind, int rounds, Lock& lock, Take take, Give give) {
  Actor taker;
  Actor releaser;
  pthread_mutex_t kept = PTHREAD_MUTEX_INITIALIZER;
  const auto expected = Expected()
                            .text("kind", kind)
                            .address("lock", &lock)
                            .address("kept", &kept)
                            .number("taker", taker.tid())
                            .number("releaser", releaser.tid());
  for (int round = 0; round < rounds; ++round) {
    taker.run([&] {
      must(take(&lock) == 0);
      must(pthread_mutex_lock(&kept) == 0);
    });
    Expected(expected).number("held", 1).show();
    releaser.run([&] { must(give(&lock) == 0); });
    Expected(expected).number("held", 0).show();
    // Its own next step must not bring the hold back.
    taker.run([&] { must(pthread_mutex_unlock(&kept) == 0); });
    taker.run([&] { must(pthread_mutex_lock(&kept) == 0); });
    Expected(expected).number("held", 0).show();
    taker.run([&] { must(pthread_mutex_unlock(&kept) == 0); });
  }
}

void released_by_another() {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pass_on("mutex", 3, mutex, pthread_mutex_lock, pthread_mutex_unlock);
  pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
  pass_on("read", 3, rwlock, pthread_rwlock_rdlock, pthread_rwlock_unlock);
  // libc takes the releaser for a reader: the lock is of no use afterwards.
  pass_on("write", 1, rwlock, pthread_rwlock_wrlock, pthread_rwlock_unlock);
  pthread_spinlock_t spin;
  must(pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE) == 0);
  pass_on("spin", 3, spin, pthread_spin_lock, pthread_spin_unlock);
}

// The same with more locks than a thread has room for inline, and than there are letters in its
// mailbox.
void released_by_another_deep() {
  std::vector<pthread_mutex_t> m(80, PTHREAD_MUTEX_INITIALIZER);
  Actor taker;
  Actor releaser;
  const auto show = [&](size_t first, size_t end) {
    const auto held = addresses_of(std::span(m).subspan(first, end - first));
    Expected().number("taker", taker.tid()).addresses("held", held).show();
  };
  taker.run([&] {
    for (auto& one : m) must(pthread_mutex_lock(&one) == 0);
  });
  show(0, 80);
  releaser.run([&] {
    for (size_t i = 76; i < 80; ++i) must(pthread_mutex_unlock(&m[i]) == 0);
  });
  show(0, 76);
  taker.run([&] {
    for (size_t i = 76; i-- > 0;) must(pthread_mutex_unlock(&m[i]) == 0);
  });
  show(0, 0);
}

// More releases than the taker, which does nothing meanwhile, has room to be told of.
void released_by_another_often() {
  std::vector<pthread_mutex_t> m(30, PTHREAD_MUTEX_INITIALIZER);
  Actor taker;
  Actor releaser;
  const auto show = [&](size_t first) {
    const auto held = addresses_of(std::span(m).subspan(first));
    Expected().number("taker", taker.tid()).addresses("held", held).show();
  };
  taker.run([&] {
    for (auto& one : m) must(pthread_mutex_lock(&one) == 0);
  });
  releaser.run([&] {
    for (size_t i = 0; i < 20; ++i) must(pthread_mutex_unlock(&m[i]) == 0);
  });
  show(20);
  taker.run([&] {
    for (size_t i = 20; i < 30; ++i) must(pthread_mutex_unlock(&m[i]) == 0);
  });
  show(30);
}

// A fibre takes a lock on one thread and goes on on another.
struct Fibre {
  ucontext_t own{};
  ucontext_t carrier{};
  alignas(16) char stack[64 * 1024];
  pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_t second = PTHREAD_MUTEX_INITIALIZER;

  void resume() { must(swapcontext(&carrier, &own) == 0); }
  void yield() { must(swapcontext(&own, &carrier) == 0); }
};

Fibre* the_fibre = nullptr;

void live() {
  Fibre& fibre = *the_fibre;
  must(pthread_mutex_lock(&fibre.first) == 0);
  fibre.yield();
  must(pthread_mutex_lock(&fibre.second) == 0);
  fibre.yield();
  must(pthread_mutex_unlock(&fibre.second) == 0);
  must(pthread_mutex_unlock(&fibre.first) == 0);
}

void fibre_carried() {
  Fibre fibre;
  the_fibre = &fibre;
  must(getcontext(&fibre.own) == 0);
  fibre.own.uc_stack.ss_sp = fibre.stack;
  fibre.own.uc_stack.ss_size = sizeof fibre.stack;
  fibre.own.uc_link = &fibre.carrier;
  makecontext(&fibre.own, live, 0);
  Actor one;
  Actor two;
  const auto expected = Expected()
                            .number("one", one.tid())
                            .number("two", two.tid())
                            .address("first", &fibre.first)
                            .address("second", &fibre.second);
  one.run([&] { fibre.resume(); });
  Expected(expected).number("step", 1).show();
  two.run([&] { fibre.resume(); });
  Expected(expected).number("step", 2).show();
  two.run([&] { fibre.resume(); });
  Expected(expected).number("step", 3).show();
}

constexpr Situation kSituations[] = {
    {"released_by_another", released_by_another},
    {"released_by_another_deep", released_by_another_deep},
    {"released_by_another_often", released_by_another_often},
    {"fibre_carried", fibre_carried},
};

}  // namespace

std::span<const Situation> stranger_situations() {
  return kSituations;
}

}  // namespace facts
