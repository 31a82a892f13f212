// Threads: creating, ending, joining in every way, detaching, naming.
#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
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
using transparency::error_name;
using transparency::every_when;
using transparency::Gate;
using transparency::observe;
using transparency::Observed;
using transparency::say;
using transparency::When;

void* as_pointer(intptr_t value) {
  return reinterpret_cast<void*>(value);
}
long as_number(void* value) {
  return static_cast<long>(reinterpret_cast<intptr_t>(value));
}

void* give_back(void* value) {
  return value;
}

void* exit_deep_inside(void* value) {
  struct Noisy {
    ~Noisy() { say("    a destructor runs on the way out"); }
  } noisy;
  pthread_exit(value);
}

void* wait_at(void* gate) {
  static_cast<Gate*>(gate)->pass();
  return as_pointer(7);
}

void create_with(const char* what, const pthread_attr_t* attr) {
  pthread_t thread{};
  const Observed made =
      observe([&] { return pthread_create(&thread, attr, give_back, as_pointer(42)); });
  if (made.result != 0) {
    say("create %s -> %s, %s", what, made.name(), made.errno_text());
    return;
  }
  void* value = nullptr;
  const Observed joined = observe([&] { return pthread_join(thread, &value); });
  say("create %s -> %s, %s | join -> %s, %s, value %ld", what, made.name(), made.errno_text(),
      joined.name(), joined.errno_text(), as_number(value));
}

class Attributes {
 public:
  Attributes() { pthread_attr_init(&attr_); }
  ~Attributes() { pthread_attr_destroy(&attr_); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  pthread_attr_t* get() { return &attr_; }

 private:
  pthread_attr_t attr_{};
};

void join_in_time(pthread_t thread, const char* situation) {
  for (const auto& [name, when] : every_when()) {
    // With such a deadline glibc asks the kernel again and again until the thread ends.
    if (when == When::kNanosecondsTooMany || when == When::kNanosecondsNegative) continue;
    void* value = as_pointer(-1);
    const timespec realtime = deadline(CLOCK_REALTIME, when);
    const timespec monotonic = deadline(CLOCK_MONOTONIC, when);
    const Observed seen[] = {
        observe([&] { return pthread_timedjoin_np(thread, &value, &realtime); }),
        observe([&] { return pthread_clockjoin_np(thread, &value, CLOCK_REALTIME, &realtime); }),
        observe([&] { return pthread_clockjoin_np(thread, &value, CLOCK_MONOTONIC, &monotonic); }),
        observe([&] { return pthread_clockjoin_np(thread, &value, 99, &realtime); }),
    };
    say("%s | %s | timedjoin %s, %s, clockjoin realtime %s, %s, monotonic %s, %s, bad %s, %s",
        situation, name, seen[0].name(), seen[0].errno_text(), seen[1].name(), seen[1].errno_text(),
        seen[2].name(), seen[2].errno_text(), seen[3].name(), seen[3].errno_text());
    say("    value %ld", as_number(value));
  }
}

void join_when_it_ends(const char* what, int (*join)(pthread_t, void**)) {
  Gate gate;
  pthread_t thread{};
  pthread_create(&thread, nullptr, wait_at, &gate);
  Bystander joiner;
  Observed seen{};
  void* value = nullptr;
  joiner.start([&] { seen = observe([&] { return join(thread, &value); }); });
  // pthread_t is the address of the thread's block, in which the joiner sleeps on the thread's id.
  constexpr size_t kThreadBlock = 4096;
  transparency::wait_until_blocked_on(joiner.tid(), as_pointer(static_cast<intptr_t>(thread)),
                                      kThreadBlock);
  const Observed second = observe([&] { return pthread_tryjoin_np(thread, nullptr); });
  gate.open();
  joiner.finish();
  say("%s -> %s, %s, value %ld | meanwhile tryjoin %s, %s", what, seen.name(), seen.errno_text(),
      as_number(value), second.name(), second.errno_text());
}

}  // namespace

void threads_created() {
  create_with("no attributes", nullptr);
  {
    Attributes smallest;
    pthread_attr_setstacksize(smallest.get(), static_cast<size_t>(PTHREAD_STACK_MIN));
    create_with("smallest stack", smallest.get());
  }
  {
    Attributes largest;
    pthread_attr_setstacksize(largest.get(), size_t{1} << 50);
    create_with("impossible stack", largest.get());
  }
  {
    Attributes real_time;
    const sched_param lowest{.sched_priority = 1};
    pthread_attr_setinheritsched(real_time.get(), PTHREAD_EXPLICIT_SCHED);
    pthread_attr_setschedpolicy(real_time.get(), SCHED_FIFO);
    pthread_attr_setschedparam(real_time.get(), &lowest);
    create_with("real time", real_time.get());
  }
  {
    Attributes own_stack;
    alignas(64) static char stack[256 * 1024];
    pthread_attr_setstack(own_stack.get(), stack, sizeof stack);
    create_with("own stack", own_stack.get());
  }
  {
    Attributes nowhere;
    cpu_set_t none;
    CPU_ZERO(&none);
    pthread_attr_setaffinity_np(nowhere.get(), sizeof none, &none);
    create_with("no processor", nowhere.get());
  }
  {
    Attributes detached;
    Gate gate;
    pthread_t thread{};
    pthread_attr_setdetachstate(detached.get(), PTHREAD_CREATE_DETACHED);
    const auto run = [](void* door) -> void* {
      static_cast<Gate*>(door)->open();
      return nullptr;
    };
    const Observed made =
        observe([&] { return pthread_create(&thread, detached.get(), run, &gate); });
    gate.pass();
    say("create detached -> %s, %s, it ran", made.name(), made.errno_text());
  }
  pthread_t thread{};
  pthread_create(&thread, nullptr, exit_deep_inside, as_pointer(99));
  void* value = nullptr;
  const int joined = pthread_join(thread, &value);
  say("pthread_exit(99) | join -> %s, value %ld", error_name(joined), as_number(value));
}

void threads_joined() {
  const pthread_t self = pthread_self();
  const Observed own[] = {observe([&] { return pthread_join(self, nullptr); }),
                          observe([&] { return pthread_tryjoin_np(self, nullptr); })};
  say("self | join %s, %s, tryjoin %s, %s", own[0].name(), own[0].errno_text(), own[1].name(),
      own[1].errno_text());
  join_in_time(self, "self");

  Gate gate;
  pthread_t thread{};
  pthread_create(&thread, nullptr, wait_at, &gate);
  const Observed running = observe([&] { return pthread_tryjoin_np(thread, nullptr); });
  say("running | tryjoin %s, %s", running.name(), running.errno_text());
  join_in_time(thread, "running");
  gate.open();
  const timespec far = deadline(CLOCK_REALTIME, When::kFar);
  void* value = nullptr;
  const Observed ended = observe([&] { return pthread_timedjoin_np(thread, &value, &far); });
  say("ending | timedjoin far %s, %s, value %ld", ended.name(), ended.errno_text(),
      as_number(value));

  pthread_create(&thread, nullptr, give_back, as_pointer(5));
  Observed tried{};
  int attempts = 0;
  do {
    tried = observe([&] { return pthread_tryjoin_np(thread, &value); });
    if (tried.result == EBUSY) sched_yield();
    ++attempts;
  } while (tried.result == EBUSY && attempts < 10'000'000);
  say("ended | tryjoin %s, %s, value %ld", tried.name(), tried.errno_text(), as_number(value));

  join_when_it_ends("join", pthread_join);
  join_when_it_ends("timedjoin far", [](pthread_t t, void** v) {
    const timespec until = deadline(CLOCK_REALTIME, When::kFar);
    return pthread_timedjoin_np(t, v, &until);
  });
  join_when_it_ends("clockjoin far", [](pthread_t t, void** v) {
    const timespec until = deadline(CLOCK_MONOTONIC, When::kFar);
    return pthread_clockjoin_np(t, v, CLOCK_MONOTONIC, &until);
  });

  static Gate still_there;  // the thread looks at it until after this function
  pthread_create(&thread, nullptr, wait_at, &still_there);
  const Observed detached = observe([&] { return pthread_detach(thread); });
  const Observed again = observe([&] { return pthread_detach(thread); });
  const Observed joined = observe([&] { return pthread_join(thread, nullptr); });
  const Observed tried_detached = observe([&] { return pthread_tryjoin_np(thread, nullptr); });
  say("detached | detach %s, %s, again %s, %s, join %s, %s, tryjoin %s, %s", detached.name(),
      detached.errno_text(), again.name(), again.errno_text(), joined.name(), joined.errno_text(),
      tried_detached.name(), tried_detached.errno_text());
  still_there.open();
}

void threads_named() {
  Bystander other;
  pthread_t others_id{};
  other.run([&] { others_id = pthread_self(); });
  for (const bool own : {true, false}) {
    const pthread_t thread = own ? pthread_self() : others_id;
    for (const char* wanted :
         {"short", "exactly 15 long", "sixteen letters!", "", "umlaut \xc3\xbc"}) {
      const Observed named = observe([&] { return pthread_setname_np(thread, wanted); });
      char name[16] = {};
      pthread_getname_np(thread, name, sizeof name);
      say("setname %s \"%s\" -> %s, %s | getname \"%s\"", own ? "self" : "other", wanted,
          named.name(), named.errno_text(), name);
    }
  }
}

}  // namespace outcomes
