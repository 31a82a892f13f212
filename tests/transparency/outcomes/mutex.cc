// Mutexes used as they should be: every call, on a mutex that is free, held by the caller, held
// several deep, or held by another thread.
#include <sched.h>

#include <cerrno>
#include <string>

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
using transparency::error_name;
using transparency::observe;
using transparency::Observed;
using transparency::say;

enum class Situation { kFree, kHeldBySelf, kHeldTwice, kHeldByOther };

constexpr struct {
  const char* name;
  Situation situation;
} kSituations[] = {
    {"free", Situation::kFree},
    {"held by self", Situation::kHeldBySelf},
    {"held by self twice", Situation::kHeldTwice},
    {"held by other", Situation::kHeldByOther},
};

// Would the call never come back on bare glibc?
bool never_returns(const MutexCall& call, const Type& type, Situation situation) {
  if (!call.may_block || situation == Situation::kFree) return false;
  return situation == Situation::kHeldByOther || !type.checks();
}

int depth_of(Situation situation) {
  switch (situation) {
    case Situation::kHeldBySelf:
      return 1;
    case Situation::kHeldTwice:
      return 2;
    default:
      return 0;
  }
}

// Undoes exactly what this thread took; every unlock's result is part of the outcome.
std::string unlock_all(pthread_mutex_t* mutex, int depth) {
  std::string results;
  for (int i = 0; i < depth; ++i) {
    const Observed seen = observe([&] { return pthread_mutex_unlock(mutex); });
    results += std::string(results.empty() ? "" : " ") + seen.name();
    if (seen.errno_after != Observed::kMarker) results += "(errno)";
  }
  return results.empty() ? "-" : results;
}

class Trial {
 public:
  Trial(const Attributes& attributes, const Type& type, Bystander& other)
      : attributes_(attributes), type_(type), other_(other) {}

  void all() {
    for (const auto& [name, situation] : kSituations) {
      if (situation == Situation::kHeldTwice && !type_.counts()) continue;
      for (const MutexCall& way : every_way_to_lock()) {
        if (!never_returns(way, type_, situation)) one(name, situation, way);
      }
    }
    unlocking();
    consistency();
  }

 private:
  // Returns whether the situation could be made (a priority-protected mutex can refuse).
  int arrange(pthread_mutex_t* mutex, Situation situation) {
    if (situation == Situation::kHeldByOther) {
      return other_.ask([&] { return pthread_mutex_lock(mutex); });
    }
    int arranged = 0;
    for (int i = 0; i < depth_of(situation) && arranged == 0; ++i) {
      arranged = pthread_mutex_lock(mutex);
    }
    return arranged;
  }

  void one(const char* situation_name, Situation situation, const MutexCall& way) {
    Mutex mutex(attributes_, type_);
    const int arranged = arrange(mutex.get(), situation);
    if (arranged != 0) {
      say("mutex %s %s | %s: %s", attributes_.name, type_.name, situation_name,
          error_name(arranged));
      return;
    }
    const Observed seen = observe([&] { return way.call(mutex.get()); });
    const int depth = depth_of(situation) + (seen.result == 0 ? 1 : 0);
    const int other = other_.ask([&] { return try_and_release(mutex.get()); });
    const int self = try_and_release(mutex.get());
    const std::string unlocks = unlock_all(mutex.get(), depth);
    if (situation == Situation::kHeldByOther) {
      other_.run([&] { pthread_mutex_unlock(mutex.get()); });
    }
    const int after = other_.ask([&] { return try_and_release(mutex.get()); });
    const int destroyed = pthread_mutex_destroy(mutex.get());
    say("mutex %s %s | %s | %s -> %s, %s | other %s, self %s, unlocks %s, other %s, destroy %s",
        attributes_.name, type_.name, situation_name, way.name.c_str(), seen.name(),
        seen.errno_text(), error_name(other), error_name(self), unlocks.c_str(), error_name(after),
        error_name(destroyed));
  }

  void unlocking() {
    Mutex mutex(attributes_, type_);
    if (pthread_mutex_lock(mutex.get()) != 0) return;
    const Observed unlocked = observe([&] { return pthread_mutex_unlock(mutex.get()); });
    const Observed destroyed = observe([&] { return pthread_mutex_destroy(mutex.get()); });
    say("mutex %s %s | unlock -> %s, %s | destroy -> %s, %s", attributes_.name, type_.name,
        unlocked.name(), unlocked.errno_text(), destroyed.name(), destroyed.errno_text());
  }

  // A mutex whose owner lives has nothing to be made consistent.
  void consistency() {
    Mutex mutex(attributes_, type_);
    const Observed seen = observe([&] { return pthread_mutex_consistent(mutex.get()); });
    say("mutex %s %s | consistent -> %s, %s", attributes_.name, type_.name, seen.name(),
        seen.errno_text());
  }

  const Attributes& attributes_;
  const Type& type_;
  Bystander& other_;
};

void try_every_type(const Attributes& attributes) {
  Bystander other;
  for (const Type& type : every_type()) {
    Mutex mutex(attributes, type);
    say("mutex %s %s | init -> %s", attributes.name, type.name, error_name(mutex.made()));
    if (mutex.made() == 0) Trial(attributes, type, other).all();
  }
}

int lock_until(pthread_mutex_t* mutex, clockid_t clock) {
  const timespec until = transparency::deadline(clock, transparency::When::kFar);
  return clock == CLOCK_MONOTONIC ? pthread_mutex_clocklock(mutex, clock, &until)
                                  : pthread_mutex_timedlock(mutex, &until);
}

void hand_over(const Attributes& attributes, const Type& type, Bystander& holder,
               Bystander& asker) {
  const struct {
    const char* name;
    int (*call)(pthread_mutex_t*);
  } ways[] = {
      {"lock", pthread_mutex_lock},
      {"timedlock far", [](pthread_mutex_t* m) { return lock_until(m, CLOCK_REALTIME); }},
      {"clocklock monotonic far",
       [](pthread_mutex_t* m) { return lock_until(m, CLOCK_MONOTONIC); }},
  };
  for (const auto& way : ways) {
    Mutex mutex(attributes, type);
    holder.run([&] { pthread_mutex_lock(mutex.get()); });
    Observed seen{};
    asker.start([&] { seen = observe([&] { return way.call(mutex.get()); }); });
    transparency::wait_until_blocked_on(asker.tid(), mutex.get(), sizeof(pthread_mutex_t));
    const int unlocked = holder.ask([&] { return pthread_mutex_unlock(mutex.get()); });
    asker.finish();
    const int holder_again = holder.ask([&] { return try_and_release(mutex.get()); });
    const int released = asker.ask([&] { return pthread_mutex_unlock(mutex.get()); });
    say("mutex %s %s | waited for | %s -> %s, %s | unlock %s, holder %s, unlock %s, destroy %s",
        attributes.name, type.name, way.name, seen.name(), seen.errno_text(), error_name(unlocked),
        error_name(holder_again), error_name(released),
        error_name(pthread_mutex_destroy(mutex.get())));
  }
}

}  // namespace

void mutex_plain() {
  try_every_type(kPlain);
}
void mutex_shared() {
  try_every_type(kShared);
}
void mutex_robust() {
  try_every_type(kRobust);
}
void mutex_robust_shared() {
  try_every_type(kRobustShared);
}
void mutex_inherit() {
  try_every_type(kInherit);
}
void mutex_inherit_robust() {
  try_every_type(kInheritRobust);
}
void mutex_protect() {
  try_every_type(kProtect);
}

// Without a real-time policy such a mutex refuses now and then; not every user may have that
// policy.
void mutex_protect_in_real_time() {
  const sched_param lowest{.sched_priority = 1};
  const int allowed = pthread_setschedparam(pthread_self(), SCHED_FIFO, &lowest);
  say("setschedparam -> %s", error_name(allowed));
  try_every_type(kProtect);
  if (allowed != 0) return;
  Bystander holder;
  Bystander asker;
  for (const Type& type : every_type()) hand_over(kProtect, type, holder, asker);
}

void mutex_handed_over() {
  Bystander holder;
  Bystander asker;
  for (const Attributes& attributes : every_attributes()) {
    if (attributes.protocol == PTHREAD_PRIO_PROTECT) continue;
    for (const Type& type : every_type()) hand_over(attributes, type, holder, asker);
  }
}

// The count of a recursive mutex is set to its last value instead of locking four billion times.
void mutex_depth_limit() {
  Bystander other;
  for (const Attributes& attributes : {kPlain, kRobust, kInherit}) {
    Mutex mutex(attributes, {"recursive", PTHREAD_MUTEX_RECURSIVE});
    pthread_mutex_lock(mutex.get());
    mutex.get()->__data.__count = ~0U;
    const Observed locked = observe([&] { return pthread_mutex_lock(mutex.get()); });
    const Observed tried = observe([&] { return pthread_mutex_trylock(mutex.get()); });
    mutex.get()->__data.__count = 1;
    const int held = other.ask([&] { return try_and_release(mutex.get()); });
    const int unlocked = pthread_mutex_unlock(mutex.get());
    const int free = other.ask([&] { return try_and_release(mutex.get()); });
    say("mutex %s recursive | deepest | lock %s, %s, trylock %s, %s, other %s, unlock %s, other %s",
        attributes.name, locked.name(), locked.errno_text(), tried.name(), tried.errno_text(),
        error_name(held), error_name(unlocked), error_name(free));
  }
}

void mutex_attributes_refused() {
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_setprotocol(&attr, PTHREAD_PRIO_PROTECT);
  pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_t mutex;
  const Observed both = observe([&] { return pthread_mutex_init(&mutex, &attr); });
  say("mutex protect+robust | init -> %s, %s", both.name(), both.errno_text());
  const Observed none = observe([&] { return pthread_mutex_init(&mutex, nullptr); });
  say("mutex no attributes | init -> %s, %s", none.name(), none.errno_text());
  pthread_mutexattr_destroy(&attr);
}

}  // namespace outcomes
