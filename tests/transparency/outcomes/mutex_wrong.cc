// Mutexes that somebody else unlocks, that are destroyed while held, or whose owner died: what the
// standard forbids or leaves open, and what glibc does all the same.
#include <cerrno>
#include <string>

#include "outcomes/cases.h"
#include "outcomes/mutex_kinds.h"
#include "support/blocked.h"
#include "support/bystander.h"
#include "support/driver.h"
#include "support/observed.h"

namespace outcomes {
namespace {

using transparency::Bystander;
using transparency::error_name;
using transparency::Gate;
using transparency::observe;
using transparency::Observed;
using transparency::say;

template <typename Body>
void for_every_mutex(Body body) {
  for (const Attributes& attributes : every_attributes()) {
    for (const Type& type : every_type()) {
      Mutex mutex(attributes, type);
      if (mutex.made() == 0) body(attributes, type, mutex.get());
    }
  }
}

void* lock_and_leave(void* mutex) {
  pthread_mutex_lock(static_cast<pthread_mutex_t*>(mutex));
  return nullptr;
}

void leave_behind_locked(pthread_mutex_t* mutex) {
  pthread_t owner{};
  pthread_create(&owner, nullptr, lock_and_leave, mutex);
  pthread_join(owner, nullptr);
}

bool is_robust(const Attributes& attributes) {
  return attributes.robust == PTHREAD_MUTEX_ROBUST;
}

// The first lock after the owner's death, then everything that may follow it.
void after_death(const Attributes& attributes, const Type& type, const MutexCall& way,
                 bool repaired, Bystander& other) {
  Mutex mutex(attributes, type);
  leave_behind_locked(mutex.get());
  const Observed first = observe([&] { return way.call(mutex.get()); });
  const bool got_it = first.result == 0 || first.result == EOWNERDEAD;
  const int meanwhile = other.ask([&] { return try_and_release(mutex.get()); });
  const int consistent = repaired && got_it ? pthread_mutex_consistent(mutex.get()) : -1;
  const int unlocked = got_it ? pthread_mutex_unlock(mutex.get()) : -1;
  say("mutex %s %s | owner died | %s -> %s, %s | other %s, consistent %s, unlock %s",
      attributes.name, type.name, way.name.c_str(), first.name(), first.errno_text(),
      error_name(meanwhile), consistent < 0 ? "-" : error_name(consistent),
      unlocked < 0 ? "-" : error_name(unlocked));
  if (!is_robust(attributes)) return;
  for (const MutexCall& again : every_way_to_lock()) {
    const Observed next = observe([&] { return again.call(mutex.get()); });
    const int released = next.result == 0 ? pthread_mutex_unlock(mutex.get()) : -1;
    say("    then %s -> %s, %s, unlock %s", again.name.c_str(), next.name(), next.errno_text(),
        released < 0 ? "-" : error_name(released));
  }
  const int last[] = {pthread_mutex_consistent(mutex.get()), pthread_mutex_destroy(mutex.get())};
  say("    then consistent %s, destroy %s", error_name(last[0]), error_name(last[1]));
}

}  // namespace

void mutex_unlocked_by_another() {
  Bystander owner;
  Bystander third;
  for_every_mutex([&](const Attributes& attributes, const Type& type, pthread_mutex_t* mutex) {
    if (owner.ask([&] { return pthread_mutex_lock(mutex); }) != 0) return;
    const Observed seen = observe([&] { return pthread_mutex_unlock(mutex); });
    const int after = third.ask([&] { return try_and_release(mutex); });
    const bool still_held = after == EBUSY;
    const int owners = still_held ? owner.ask([&] { return pthread_mutex_unlock(mutex); }) : -1;
    say("mutex %s %s | held by other | unlock -> %s, %s | third %s, owner's unlock %s, third %s",
        attributes.name, type.name, seen.name(), seen.errno_text(), error_name(after),
        owners < 0 ? "-" : error_name(owners),
        error_name(third.ask([&] { return try_and_release(mutex); })));
  });
}

void mutex_unlocked_while_free() {
  Bystander other;
  for_every_mutex([&](const Attributes& attributes, const Type& type, pthread_mutex_t* mutex) {
    // Nothing guards a priority-protected mutex against it: glibc would lower a priority that was
    // never raised, which ends in an assertion.
    if (attributes.protocol == PTHREAD_PRIO_PROTECT) return;
    const Observed seen = observe([&] { return pthread_mutex_unlock(mutex); });
    const int others = other.ask([&] { return try_and_release(mutex); });
    const int own = try_and_release(mutex);
    say("mutex %s %s | free | unlock -> %s, %s | other %s, self %s", attributes.name, type.name,
        seen.name(), seen.errno_text(), error_name(others), error_name(own));
  });
}

void mutex_destroyed_while_held() {
  Bystander other;
  for_every_mutex([&](const Attributes& attributes, const Type& type, pthread_mutex_t* mutex) {
    if (pthread_mutex_lock(mutex) != 0) return;
    const Observed seen = observe([&] { return pthread_mutex_destroy(mutex); });
    const int others =
        seen.result == EBUSY ? other.ask([&] { return pthread_mutex_destroy(mutex); }) : -1;
    say("mutex %s %s | held by self | destroy -> %s, %s | other's destroy %s, other %s",
        attributes.name, type.name, seen.name(), seen.errno_text(),
        others < 0 ? "-" : error_name(others),
        seen.result == EBUSY ? error_name(other.ask([&] { return try_and_release(mutex); })) : "-");
    if (seen.result != EBUSY) return;
    const int last[] = {pthread_mutex_unlock(mutex), pthread_mutex_destroy(mutex)};
    say("    then unlock %s, destroy %s", error_name(last[0]), error_name(last[1]));
  });
}

void mutex_owner_died() {
  Bystander other;
  for (const Attributes& attributes : every_attributes()) {
    if (attributes.protocol == PTHREAD_PRIO_PROTECT) continue;
    for (const Type& type : every_type()) {
      for (const MutexCall& way : every_way_to_lock()) {
        if (way.may_block && !is_robust(attributes)) continue;
        after_death(attributes, type, way, true, other);
        if (is_robust(attributes)) after_death(attributes, type, way, false, other);
      }
    }
  }
}

// The owner dies while somebody sleeps on the mutex: the kernel hands it over.
void mutex_owner_died_while_waited_for() {
  Bystander asker;
  for (const Attributes& attributes : every_attributes()) {
    if (!is_robust(attributes)) continue;
    for (const Type& type : every_type()) {
      Mutex mutex(attributes, type);
      struct Owner {
        pthread_mutex_t* mutex;
        Gate has_it, may_die;
      } owner{mutex.get(), {}, {}};
      pthread_t thread{};
      const auto live = [](void* data) -> void* {
        auto& me = *static_cast<Owner*>(data);
        pthread_mutex_lock(me.mutex);
        me.has_it.open();
        me.may_die.pass();
        return nullptr;
      };
      pthread_create(&thread, nullptr, live, &owner);
      owner.has_it.pass();
      Observed seen{};
      asker.start([&] { seen = observe([&] { return pthread_mutex_lock(mutex.get()); }); });
      transparency::wait_until_blocked_on(asker.tid(), mutex.get(), sizeof(pthread_mutex_t));
      owner.may_die.open();
      pthread_join(thread, nullptr);
      asker.finish();
      const int meanwhile = try_and_release(mutex.get());
      const int consistent = asker.ask([&] { return pthread_mutex_consistent(mutex.get()); });
      const int unlocked = asker.ask([&] { return pthread_mutex_unlock(mutex.get()); });
      const int after = try_and_release(mutex.get());
      say("mutex %s %s | owner dies | lock -> %s, %s | third %s, consistent %s, unlock %s, third "
          "%s",
          attributes.name, type.name, seen.name(), seen.errno_text(), error_name(meanwhile),
          error_name(consistent), error_name(unlocked), error_name(after));
    }
  }
}

}  // namespace outcomes
