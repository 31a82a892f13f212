// Two processes that share locks: each one's ledger says what that process does.
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include "actor.h"
#include "blocked.h"
#include "children.h"
#include "expected.h"
#include "locks.h"
#include "situation.h"

namespace facts {
namespace {

struct Shared {
  pthread_mutex_t mutex;
  pthread_rwlock_t rwlock;
};

Shared& shared_memory() {
  void* const memory =
      mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  must(memory != MAP_FAILED);
  auto& shared = *static_cast<Shared*>(memory);
  make(shared.mutex, {.shared = true});
  make(shared.rwlock, PTHREAD_RWLOCK_DEFAULT_NP, true);
  return shared;
}

void process_shared() {
  Shared& shared = shared_memory();
  const Nudge held;
  const Nudge waits;
  const Nudge released;
  const Nudge done;

  const pid_t child = forked([&] {
    Actor reader;
    Actor waiter;
    held.await();
    reader.run([&] { must(pthread_rwlock_rdlock(&shared.rwlock) == 0); });
    waiter.start([&] {
      must(pthread_mutex_lock(&shared.mutex) == 0);
      must(pthread_mutex_unlock(&shared.mutex) == 0);
    });
    until_blocked(waiter.tid(), shared.mutex);
    Expected()
        .number("pid", getpid())
        .number("reader", reader.tid())
        .number("waiter", waiter.tid())
        .address("mutex", &shared.mutex)
        .address("rwlock", &shared.rwlock)
        .show();
    waits.send();
    released.await();
    waiter.finish();
    reader.run([&] { must(pthread_rwlock_unlock(&shared.rwlock) == 0); });
    done.send();
  });

  Actor holder;
  holder.run([&] {
    must(pthread_mutex_lock(&shared.mutex) == 0);
    must(pthread_rwlock_rdlock(&shared.rwlock) == 0);
  });
  held.send();
  waits.await();
  Expected()
      .number("pid", getpid())
      .number("holder", holder.tid())
      .address("mutex", &shared.mutex)
      .address("rwlock", &shared.rwlock)
      .show();
  holder.run([&] {
    must(pthread_mutex_unlock(&shared.mutex) == 0);
    must(pthread_rwlock_unlock(&shared.rwlock) == 0);
  });
  released.send();
  done.await();
  must_end_well(child);
}

// A child of a process that holds such locks: it is still the parent's threads that hold them.
void process_forked() {
  Shared& shared = shared_memory();
  const Nudge shown;
  Actor reader;
  reader.run([&] { must(pthread_rwlock_rdlock(&shared.rwlock) == 0); });
  must(pthread_mutex_lock(&shared.mutex) == 0);
  const pid_t child = forked([&] {
    Actor waiter;
    waiter.start([&] {
      must(pthread_mutex_lock(&shared.mutex) == 0);
      must(pthread_mutex_unlock(&shared.mutex) == 0);
    });
    until_blocked(waiter.tid(), shared.mutex);
    Expected()
        .number("pid", getpid())
        .number("waiter", waiter.tid())
        .address("mutex", &shared.mutex)
        .address("rwlock", &shared.rwlock)
        .show();
    shown.send();
    waiter.finish();
  });
  shown.await();
  Expected()
      .number("pid", getpid())
      .number("holder", getpid())
      .number("reader", reader.tid())
      .address("mutex", &shared.mutex)
      .address("rwlock", &shared.rwlock)
      .show();
  must(pthread_mutex_unlock(&shared.mutex) == 0);
  reader.run([&] { must(pthread_rwlock_unlock(&shared.rwlock) == 0); });
  must_end_well(child);
}

constexpr Situation kSituations[] = {{"process_shared", process_shared},
                                     {"process_forked", process_forked}};

}  // namespace

std::span<const Situation> process_situations() {
  return kSituations;
}

}  // namespace facts
