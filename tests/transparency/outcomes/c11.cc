// The C11 calls. They reach glibc without passing through the pthread_ names.
#include <threads.h>

#include <cerrno>
#include <cstdint>
#include <string>

#include "outcomes/cases.h"
#include "support/blocked.h"
#include "support/bystander.h"
#include "support/deadline.h"
#include "support/driver.h"
#include "support/observed.h"

namespace outcomes {
namespace {

using transparency::Bystander;
using transparency::deadline;
using transparency::every_when;
using transparency::Gate;
using transparency::observe;
using transparency::Observed;
using transparency::say;
using transparency::When;

const char* result_name(int result) {
  switch (result) {
    case thrd_success:
      return "success";
    case thrd_busy:
      return "busy";
    case thrd_error:
      return "error";
    case thrd_nomem:
      return "nomem";
    case thrd_timedout:
      return "timedout";
    default:
      return "?";
  }
}

constexpr struct MutexType {
  const char* name;
  int type;
  bool recursive() const { return (type & mtx_recursive) != 0; }
} kTypes[] = {{"plain", mtx_plain},
              {"timed", mtx_timed},
              {"plain|recursive", mtx_plain | mtx_recursive},
              {"timed|recursive", mtx_timed | mtx_recursive}};

int try_and_release(mtx_t* mutex) {
  const int tried = mtx_trylock(mutex);
  if (tried == thrd_success) mtx_unlock(mutex);
  return tried;
}

int timedlock(mtx_t* mutex, When when) {
  const timespec until = deadline(CLOCK_REALTIME, when);
  return mtx_timedlock(mutex, &until);
}

template <typename Call>
void try_and_tell(const MutexType& type, const char* situation, const std::string& what,
                  mtx_t* mutex, Bystander& other, Call call) {
  const Observed seen = observe([&] { return call(mutex); });
  const int others = other.ask([&] { return try_and_release(mutex); });
  if (seen.result == thrd_success) mtx_unlock(mutex);
  say("mtx %s | %s | %s -> %s, %s | other %s", type.name, situation, what.c_str(),
      result_name(seen.result), seen.errno_text(), result_name(others));
}

void try_every_call(const MutexType& type, const char* situation, mtx_t* mutex, Bystander& other,
                    bool lock_returns) {
  if (lock_returns) try_and_tell(type, situation, "lock", mutex, other, mtx_lock);
  try_and_tell(type, situation, "trylock", mutex, other, mtx_trylock);
  for (const auto& point : every_when()) {
    const When when = point.when;
    try_and_tell(type, situation, std::string("timedlock ") + point.name, mutex, other,
                 [when](mtx_t* m) { return timedlock(m, when); });
  }
}

int give_back(void* value) {
  return static_cast<int>(reinterpret_cast<intptr_t>(value));
}

}  // namespace

void c11_mutexes() {
  Bystander other;
  Bystander third;
  for (const MutexType& type : kTypes) {
    mtx_t mutex;
    const Observed made = observe([&] { return mtx_init(&mutex, type.type); });
    say("mtx %s | init -> %s, %s", type.name, result_name(made.result), made.errno_text());
    try_every_call(type, "free", &mutex, other, true);
    mtx_lock(&mutex);
    try_every_call(type, "held by self", &mutex, other, type.recursive());
    const Observed unlocked = observe([&] { return mtx_unlock(&mutex); });
    say("mtx %s | held by self | unlock -> %s, %s", type.name, result_name(unlocked.result),
        unlocked.errno_text());
    other.run([&] { mtx_lock(&mutex); });
    try_every_call(type, "held by other", &mutex, third, false);
    Observed waited{};
    third.start([&] { waited = observe([&] { return mtx_lock(&mutex); }); });
    transparency::wait_until_blocked_on(third.tid(), mutex);
    other.run([&] { mtx_unlock(&mutex); });
    third.finish();
    say("mtx %s | waited for | lock -> %s, %s | other %s", type.name, result_name(waited.result),
        waited.errno_text(), result_name(other.ask([&] { return try_and_release(&mutex); })));
    third.run([&] { mtx_unlock(&mutex); });
    errno = Observed::kMarker;
    mtx_destroy(&mutex);
    say("mtx %s | destroy, errno %s", type.name, errno == Observed::kMarker ? "kept" : "changed");
  }
  mtx_t refused;
  const Observed made = observe([&] { return mtx_init(&refused, 77); });
  say("mtx type 77 | init -> %s, %s", result_name(made.result), made.errno_text());
}

void c11_conditions() {
  Bystander first;
  Bystander second;
  for (const MutexType& type : kTypes) {
    mtx_t mutex;
    cnd_t cond;
    mtx_init(&mutex, type.type);
    const Observed made = observe([&] { return cnd_init(&cond); });
    say("cnd, mtx %s | init -> %s, %s", type.name, result_name(made.result), made.errno_text());
    mtx_lock(&mutex);
    for (const auto& [name, when] : every_when()) {
      const timespec until = deadline(CLOCK_REALTIME, when);
      const Observed seen = observe([&] { return cnd_timedwait(&cond, &mutex, &until); });
      say("cnd, mtx %s | timedwait %s -> %s, %s | other %s", type.name, name,
          result_name(seen.result), seen.errno_text(),
          result_name(first.ask([&] { return try_and_release(&mutex); })));
    }
    mtx_unlock(&mutex);
    for (const bool everybody : {false, true}) {
      bool ready = false;
      Observed slept[2]{};
      const timespec far = deadline(CLOCK_REALTIME, When::kFar);
      first.start([&] {
        mtx_lock(&mutex);
        while (!ready) slept[0] = observe([&] { return cnd_wait(&cond, &mutex); });
        mtx_unlock(&mutex);
      });
      second.start([&] {
        mtx_lock(&mutex);
        while (!ready) slept[1] = observe([&] { return cnd_timedwait(&cond, &mutex, &far); });
        mtx_unlock(&mutex);
      });
      for (Bystander* sleeper : {&first, &second}) {
        transparency::wait_until_blocked_on(sleeper->tid(), cond);
      }
      mtx_lock(&mutex);
      ready = true;
      Observed woken[2]{};
      for (Observed& call : woken) {
        call = observe([&] { return everybody ? cnd_broadcast(&cond) : cnd_signal(&cond); });
      }
      mtx_unlock(&mutex);
      first.finish();
      second.finish();
      say("cnd, mtx %s | %s -> %s, %s, again %s | wait -> %s, %s, timedwait far -> %s, %s",
          type.name, everybody ? "broadcast" : "signal", result_name(woken[0].result),
          woken[0].errno_text(), result_name(woken[1].result), result_name(slept[0].result),
          slept[0].errno_text(), result_name(slept[1].result), slept[1].errno_text());
    }
    errno = Observed::kMarker;
    cnd_destroy(&cond);
    say("cnd, mtx %s | destroy, errno %s", type.name,
        errno == Observed::kMarker ? "kept" : "changed");
    mtx_destroy(&mutex);
  }
}

void c11_threads() {
  thrd_t thread{};
  int value = 0;
  const Observed made =
      observe([&] { return thrd_create(&thread, give_back, reinterpret_cast<void*>(41)); });
  const Observed joined = observe([&] { return thrd_join(thread, &value); });
  say("thrd_create -> %s, %s | join -> %s, %s, value %d", result_name(made.result),
      made.errno_text(), result_name(joined.result), joined.errno_text(), value);

  thrd_create(&thread, give_back, reinterpret_cast<void*>(-5));
  say("thrd_join without a place for the value -> %s", result_name(thrd_join(thread, nullptr)));

  const auto leave = [](void*) -> int { thrd_exit(17); };
  thrd_create(&thread, leave, nullptr);
  thrd_join(thread, &value);
  say("thrd_exit(17) | value %d", value);

  say("thrd_join self -> %s", result_name(thrd_join(thrd_current(), nullptr)));

  Gate gate;
  Gate ran;
  struct Doors {
    Gate* gate;
    Gate* ran;
  } doors{&gate, &ran};
  const auto pass = [](void* data) -> int {
    const Doors door = *static_cast<Doors*>(data);
    door.gate->pass();
    door.ran->open();
    return 0;
  };
  thrd_create(&thread, pass, &doors);
  const Observed detached = observe([&] { return thrd_detach(thread); });
  const Observed again = observe([&] { return thrd_detach(thread); });
  const Observed refused = observe([&] { return thrd_join(thread, nullptr); });
  gate.open();
  ran.pass();
  say("thrd_detach again -> %s, %s", result_name(again.result), again.errno_text());
  say("thrd_detach -> %s, %s | join -> %s, %s", result_name(detached.result), detached.errno_text(),
      result_name(refused.result), refused.errno_text());

  // Locks of both families meet in one thread.
  static mtx_t mutex;
  mtx_init(&mutex, mtx_plain);
  static int sum = 0;
  const auto add = [](void*) -> int {
    for (int i = 0; i < 5'000; ++i) {
      mtx_lock(&mutex);
      ++sum;
      mtx_unlock(&mutex);
    }
    return sum > 0;
  };
  thrd_t adders[4];
  int results = 0;
  for (thrd_t& adder : adders) thrd_create(&adder, add, nullptr);
  for (thrd_t& adder : adders) {
    thrd_join(adder, &value);
    results += value;
  }
  say("four threads | sum %d, results %d", sum, results);
}

}  // namespace outcomes
