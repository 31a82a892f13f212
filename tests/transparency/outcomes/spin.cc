// Spin locks: they know no owner and no deadline, so there is little to get wrong.
#include <pthread.h>

#include "outcomes/cases.h"
#include "support/bystander.h"
#include "support/driver.h"
#include "support/observed.h"

namespace outcomes {

using transparency::Bystander;
using transparency::error_name;
using transparency::observe;
using transparency::Observed;
using transparency::say;

void spin() {
  Bystander other;
  for (const int shared : {PTHREAD_PROCESS_PRIVATE, PTHREAD_PROCESS_SHARED}) {
    const char* kind = shared == PTHREAD_PROCESS_SHARED ? "shared" : "private";
    pthread_spinlock_t lock;
    const auto tell = [&](const char* situation, const char* what, auto call) {
      const Observed seen = observe(call);
      say("spin %s | %s | %s -> %s, %s", kind, situation, what, seen.name(), seen.errno_text());
    };
    const auto try_it = [&] { return pthread_spin_trylock(&lock); };
    tell("new", "init", [&] { return pthread_spin_init(&lock, shared); });
    tell("free", "trylock", try_it);
    tell("held by self", "trylock", try_it);
    other.run([&] { tell("held by self", "other's trylock", try_it); });
    tell("held by self", "unlock", [&] { return pthread_spin_unlock(&lock); });
    other.run([&] { tell("free", "other's lock", [&] { return pthread_spin_lock(&lock); }); });
    tell("held by other", "trylock", try_it);
    other.run([&] { pthread_spin_unlock(&lock); });
    tell("free", "lock", [&] { return pthread_spin_lock(&lock); });
    tell("held by self", "unlock", [&] { return pthread_spin_unlock(&lock); });
    tell("free", "destroy", [&] { return pthread_spin_destroy(&lock); });
  }
  // Many short holds from two threads: the sum is right only if each was exclusive.
  pthread_spinlock_t lock;
  pthread_spin_init(&lock, PTHREAD_PROCESS_PRIVATE);
  int sum = 0;
  const auto add = [&] {
    for (int i = 0; i < 20'000; ++i) {
      pthread_spin_lock(&lock);
      ++sum;
      pthread_spin_unlock(&lock);
    }
  };
  other.start(add);
  add();
  other.finish();
  say("spin private | two threads | sum %d, destroy %s", sum,
      error_name(pthread_spin_destroy(&lock)));
}

}  // namespace outcomes
