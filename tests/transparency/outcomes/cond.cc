// Condition variables: with every clock, with every type of mutex, woken and timed out.
#include <pthread.h>

#include <cerrno>

#include "outcomes/cases.h"
#include "outcomes/mutex_kinds.h"
#include "support/blocked.h"
#include "support/bystander.h"
#include "support/deadline.h"
#include "support/driver.h"
#include "support/observed.h"

namespace outcomes {
namespace {

using transparency::Bystander;
using transparency::deadline;
using transparency::error_name;
using transparency::every_when;
using transparency::observe;
using transparency::Observed;
using transparency::say;
using transparency::When;

constexpr struct CondKind {
  const char* name;
  clockid_t clock;
  int shared;
} kCondKinds[] = {
    {"realtime", CLOCK_REALTIME, PTHREAD_PROCESS_PRIVATE},
    {"monotonic", CLOCK_MONOTONIC, PTHREAD_PROCESS_PRIVATE},
    {"realtime+shared", CLOCK_REALTIME, PTHREAD_PROCESS_SHARED},
};

class Cond {
 public:
  explicit Cond(const CondKind& kind) {
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, kind.clock);
    pthread_condattr_setpshared(&attr, kind.shared);
    made_ = observe([&] { return pthread_cond_init(&cond_, &attr); });
    pthread_condattr_destroy(&attr);
  }
  pthread_cond_t* get() { return &cond_; }
  const Observed& made() const { return made_; }

 private:
  pthread_cond_t cond_{};
  Observed made_{};
};

// A condition variable needs a mutex that can be locked at once by this thread.
bool lockable(pthread_mutex_t* mutex) {
  const bool locked = pthread_mutex_lock(mutex) == 0;
  if (locked) pthread_mutex_unlock(mutex);
  return locked;
}

void time_out(const CondKind& kind, const Attributes& attributes, const Type& type,
              Bystander& other) {
  const struct {
    const char* name;
    int (*call)(pthread_cond_t*, pthread_mutex_t*, clockid_t, const timespec*);
    clockid_t clock;
  } ways[] = {
      {"timedwait",
       [](auto* c, auto* m, clockid_t, auto* t) { return pthread_cond_timedwait(c, m, t); },
       kind.clock},
      {"clockwait realtime", pthread_cond_clockwait, CLOCK_REALTIME},
      {"clockwait monotonic", pthread_cond_clockwait, CLOCK_MONOTONIC},
      {"clockwait bad clock", pthread_cond_clockwait, CLOCK_PROCESS_CPUTIME_ID},
  };
  for (const auto& way : ways) {
    for (const auto& [name, when] : every_when()) {
      Cond cond(kind);
      Mutex mutex(attributes, type);
      pthread_mutex_lock(mutex.get());
      const timespec until = deadline(way.clock, when);
      const Observed seen =
          observe([&] { return way.call(cond.get(), mutex.get(), way.clock, &until); });
      const int others = other.ask([&] { return try_and_release(mutex.get()); });
      const int last[] = {pthread_mutex_unlock(mutex.get()), pthread_cond_destroy(cond.get())};
      say("cond %s, mutex %s %s | %s %s -> %s, %s | other %s, unlock %s, destroy %s", kind.name,
          attributes.name, type.name, way.name, name, seen.name(), seen.errno_text(),
          error_name(others), error_name(last[0]), error_name(last[1]));
    }
  }
}

struct Waiter {
  pthread_cond_t* cond;
  pthread_mutex_t* mutex;
  bool ready = false;

  template <typename Wait>
  Observed sleep(Wait wait) {
    pthread_mutex_lock(mutex);
    Observed seen{};
    while (!ready) seen = observe(wait);
    return seen;
  }
};

void wake(const CondKind& kind, const Attributes& attributes, const Type& type, bool everybody,
          Bystander& first, Bystander& second) {
  Cond cond(kind);
  Mutex mutex(attributes, type);
  Waiter waiter{cond.get(), mutex.get()};
  const timespec far = deadline(kind.clock, When::kFar);
  Observed seen[2]{};
  int unlocked[2]{};
  first.start([&] {
    seen[0] = waiter.sleep([&] { return pthread_cond_wait(cond.get(), mutex.get()); });
    unlocked[0] = pthread_mutex_unlock(mutex.get());
  });
  second.start([&] {
    seen[1] = waiter.sleep([&] { return pthread_cond_timedwait(cond.get(), mutex.get(), &far); });
    unlocked[1] = pthread_mutex_unlock(mutex.get());
  });
  for (Bystander* sleeper : {&first, &second}) {
    transparency::wait_until_blocked_on(sleeper->tid(), cond.get(), sizeof(pthread_cond_t));
  }
  pthread_mutex_lock(mutex.get());
  waiter.ready = true;
  Observed woken[2]{};
  for (Observed& call : woken) {
    call = observe([&] {
      return everybody ? pthread_cond_broadcast(cond.get()) : pthread_cond_signal(cond.get());
    });
  }
  pthread_mutex_unlock(mutex.get());
  first.finish();
  second.finish();
  const int destroyed[] = {pthread_cond_destroy(cond.get()), pthread_mutex_destroy(mutex.get())};
  say("cond %s, mutex %s %s | %s -> %s, %s, %s, %s", kind.name, attributes.name, type.name,
      everybody ? "broadcast" : "signal", woken[0].name(), woken[0].errno_text(), woken[1].name(),
      woken[1].errno_text());
  say("    wait -> %s, %s, unlock %s | timedwait far -> %s, %s, unlock %s | destroy %s, %s",
      seen[0].name(), seen[0].errno_text(), error_name(unlocked[0]), seen[1].name(),
      seen[1].errno_text(), error_name(unlocked[1]), error_name(destroyed[0]),
      error_name(destroyed[1]));
}

// While one thread waits, another one takes the mutex and dies with it.
void die_meanwhile(const Type& type, bool timed, Bystander& sleeper) {
  Cond cond(kCondKinds[0]);
  Mutex mutex(kRobust, type);
  const timespec far = deadline(CLOCK_REALTIME, When::kFar);
  Observed seen{};
  sleeper.start([&] {
    pthread_mutex_lock(mutex.get());
    seen = observe([&] {
      return timed ? pthread_cond_timedwait(cond.get(), mutex.get(), &far)
                   : pthread_cond_wait(cond.get(), mutex.get());
    });
  });
  transparency::wait_until_blocked_on(sleeper.tid(), cond.get(), sizeof(pthread_cond_t));
  struct Both {
    pthread_cond_t* cond;
    pthread_mutex_t* mutex;
  } both{cond.get(), mutex.get()};
  pthread_t owner{};
  const auto take_and_die = [](void* data) -> void* {
    const auto& objects = *static_cast<Both*>(data);
    pthread_mutex_lock(objects.mutex);
    pthread_cond_signal(objects.cond);
    return nullptr;
  };
  pthread_create(&owner, nullptr, take_and_die, &both);
  pthread_join(owner, nullptr);
  sleeper.finish();
  const int meanwhile = try_and_release(mutex.get());
  const int unlocked = sleeper.ask([&] { return pthread_mutex_unlock(mutex.get()); });
  sleeper.run([&] {
    // Unlocked without being repaired: lost for good.
    const Observed again = observe([&] { return pthread_mutex_lock(mutex.get()); });
    say("cond realtime, mutex robust %s | owner died | %s -> %s, %s | other %s, unlock %s, lock %s",
        type.name, timed ? "timedwait" : "wait", seen.name(), seen.errno_text(),
        error_name(meanwhile), error_name(unlocked), again.name());
  });
}

}  // namespace

void cond_timeouts() {
  Bystander other;
  for (const CondKind& kind : kCondKinds) {
    for (const Attributes& attributes : {kPlain, kRobust, kInherit}) {
      for (const Type& type : every_type()) time_out(kind, attributes, type, other);
    }
  }
  // An error-checking mutex that is not held cannot be given back for the wait.
  Cond cond(kCondKinds[0]);
  Mutex mutex(kPlain, {"errorcheck", PTHREAD_MUTEX_ERRORCHECK});
  const timespec far = deadline(CLOCK_REALTIME, When::kFar);
  const Observed waited = observe([&] { return pthread_cond_wait(cond.get(), mutex.get()); });
  const Observed timed =
      observe([&] { return pthread_cond_timedwait(cond.get(), mutex.get(), &far); });
  const int others = other.ask([&] { return try_and_release(mutex.get()); });
  say("cond, mutex not held | wait -> %s, %s, timedwait -> %s, %s, other %s", waited.name(),
      waited.errno_text(), timed.name(), timed.errno_text(), error_name(others));
}

void cond_wakeups() {
  Bystander first;
  Bystander second;
  for (const CondKind& kind : kCondKinds) {
    for (const Attributes& attributes : every_attributes()) {
      for (const Type& type : every_type()) {
        Mutex probe(attributes, type);
        if (probe.made() != 0 || !lockable(probe.get())) continue;
        for (const bool everybody : {false, true}) {
          wake(kind, attributes, type, everybody, first, second);
        }
      }
    }
    Cond nobody(kind);
    say("cond %s | init -> %s, %s", kind.name, nobody.made().name(), nobody.made().errno_text());
    const Observed signalled = observe([&] { return pthread_cond_signal(nobody.get()); });
    const Observed broadcast = observe([&] { return pthread_cond_broadcast(nobody.get()); });
    say("cond %s | nobody waits | signal -> %s, %s, broadcast -> %s, %s", kind.name,
        signalled.name(), signalled.errno_text(), broadcast.name(), broadcast.errno_text());
    const Observed destroyed = observe([&] { return pthread_cond_destroy(nobody.get()); });
    say("cond %s | destroy -> %s, %s", kind.name, destroyed.name(), destroyed.errno_text());
  }
}

void cond_owner_died() {
  Bystander sleeper;
  for (const Type& type : every_type()) {
    for (const bool timed : {false, true}) die_meanwhile(type, timed, sleeper);
  }
}

}  // namespace outcomes
