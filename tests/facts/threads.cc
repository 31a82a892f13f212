// Threads: who waits for whose end, what they are called, where they come from.
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <vector>

#include "actor.h"
#include "blocked.h"
#include "expected.h"
#include "locks.h"
#include "situation.h"

namespace facts {
namespace {

// A thread with a function of its own.
struct Sleeper {
  const char* prctl_name = nullptr;
  pthread_t thread{};
  std::atomic<pid_t> tid{0};
  Gate gate;

  void begin();
};

void* sleep_at_gate(void* argument) {
  auto& sleeper = *static_cast<Sleeper*>(argument);
  if (sleeper.prctl_name != nullptr) must(prctl(PR_SET_NAME, sleeper.prctl_name) == 0);
  sleeper.tid.store(gettid());
  sleeper.tid.notify_all();
  sleeper.gate.pass();
  return nullptr;
}

void Sleeper::begin() {
  must(pthread_create(&thread, nullptr, sleep_at_gate, this) == 0);
  tid.wait(0);
}

void thread_joined() {
  for (const bool timed : {false, true}) {
    Sleeper sleeper;
    sleeper.begin();
    Actor waiter;
    int line = 0;
    waiter.start([&] {
      const timespec never = in_ms(CLOCK_REALTIME, kNeverMs);
      if (timed) {
        line = __LINE__, must(pthread_timedjoin_np(sleeper.thread, nullptr, &never) == 0);
      } else {
        line = __LINE__, must(pthread_join(sleeper.thread, nullptr) == 0);
      }
    });
    until_joining(waiter.tid(), sleeper.thread);
    Expected()
        .number("waiter", waiter.tid())
        .number("joined", sleeper.tid)
        .number("line", line)
        .number("timed", timed)
        .show();
    sleeper.gate.open();
    waiter.finish();
  }
}

void thread_named() {
  Actor self("by-itself");
  Actor other;
  must(pthread_setname_np(other.handle(), "by-another-one!") == 0);
  Sleeper raw;
  raw.prctl_name = "by-prctl";
  raw.begin();
  const auto expected =
      Expected().number("self", self.tid()).number("other", other.tid()).number("raw", raw.tid);
  Expected(expected)
      .text("self_name", "by-itself")
      .text("other_name", "by-another-one!")
      .text("raw_name", "by-prctl")
      .show();
  self.run([] { must(pthread_setname_np(pthread_self(), "renamed") == 0); });
  must(pthread_setname_np(other.handle(), "") == 0);
  Expected(expected).text("self_name", "renamed").text("raw_name", "by-prctl").show();
  raw.gate.open();
  must(pthread_join(raw.thread, nullptr) == 0);
}

// What the main thread held before there was a second one.
void thread_main_first() {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_t tried = PTHREAD_MUTEX_INITIALIZER;
  pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;
  const int lines[] = {__LINE__ + 1, __LINE__ + 2, __LINE__ + 3};
  must(pthread_mutex_lock(&m) == 0);
  must(pthread_mutex_trylock(&tried) == 0);
  must(pthread_rwlock_rdlock(&l) == 0);
  const volatile void* const held[] = {&m, &tried, &l};
  Actor waiter;
  waiter.start([&] {
    must(pthread_mutex_lock(&m) == 0);
    must(pthread_mutex_unlock(&m) == 0);
  });
  until_blocked(waiter.tid(), m);
  Expected()
      .number("holder", getpid())
      .number("waiter", waiter.tid())
      .addresses("held", held)
      .numbers("lines", lines)
      .show();
  must(pthread_mutex_unlock(&m) == 0);
  waiter.finish();
  Expected()
      .number("holder", getpid())
      .number("waiter", waiter.tid())
      .addresses("held", std::span(held).subspan(1))
      .show();
}

// More of them than a slot has room for.
void thread_main_first_many() {
  std::vector<pthread_mutex_t> m(100, PTHREAD_MUTEX_INITIALIZER);
  for (auto& one : m) must(pthread_mutex_lock(&one) == 0);
  const Actor other;
  Expected().number("holder", getpid()).addresses("held", addresses_of(m)).show();
  for (auto& one : m) must(pthread_mutex_unlock(&one) == 0);
  Expected().number("holder", getpid()).addresses("held", {}).show();
}

// A thread that comes where another one was.
void thread_successor() {
  std::vector<pthread_mutex_t> many(70, PTHREAD_MUTEX_INITIALIZER);
  pthread_mutex_t contended = PTHREAD_MUTEX_INITIALIZER;
  must(pthread_mutex_lock(&contended) == 0);
  Actor predecessor("predecessor");
  predecessor.start([&] {
    must(pthread_mutex_lock(&contended) == 0);
    must(pthread_mutex_unlock(&contended) == 0);
    for (auto& one : many) must(pthread_mutex_lock(&one) == 0);
    for (auto& one : many) must(pthread_mutex_unlock(&one) == 0);
    must(pthread_mutex_lock(&contended) == 0);
  });
  until_blocked(predecessor.tid(), contended);
  must(pthread_mutex_unlock(&contended) == 0);
  predecessor.finish();
  predecessor.leave();
  Actor successor;
  Expected()
      .number("predecessor", predecessor.tid())
      .number("successor", successor.tid())
      .address("lock", &contended)
      .show();
}

void thread_created() {
  Actor creator;
  Sleeper sleeper;
  creator.run([&] { sleeper.begin(); });
  // Not known by its own name: it may stand behind a jump table.
  void* (*volatile entry)(void*) = sleep_at_gate;
  Expected()
      .number("thread", sleeper.tid)
      .number("creator", creator.tid())
      .address("entry", reinterpret_cast<void*>(entry))
      .show();
  sleeper.gate.open();
  must(pthread_join(sleeper.thread, nullptr) == 0);
  Expected().number("thread", sleeper.tid).number("creator", creator.tid()).show();
}

// A thread that libc makes inside itself.
struct Timer {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  std::atomic<pid_t> tid{0};
  Gate gate;
  Gate done;
};

void in_timer_thread(sigval value) {
  auto& timer = *static_cast<Timer*>(value.sival_ptr);
  must(pthread_mutex_lock(&timer.m) == 0);
  timer.tid.store(gettid());
  timer.tid.notify_all();
  timer.gate.pass();
  must(pthread_mutex_unlock(&timer.m) == 0);
  timer.done.open();
}

void thread_of_timer() {
  Timer facts;
  Actor waiter;
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_value.sival_ptr = &facts;
  event.sigev_notify_function = in_timer_thread;
  timer_t timer{};
  must(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0);
  const itimerspec once{.it_interval = {}, .it_value = {.tv_sec = 0, .tv_nsec = 1}};
  must(timer_settime(timer, 0, &once, nullptr) == 0);
  facts.tid.wait(0);
  waiter.start([&] {
    must(pthread_mutex_lock(&facts.m) == 0);
    must(pthread_mutex_unlock(&facts.m) == 0);
  });
  until_blocked(waiter.tid(), facts.m);
  Expected()
      .number("holder", facts.tid)
      .number("waiter", waiter.tid())
      .address("lock", &facts.m)
      .show();
  facts.gate.open();
  facts.done.pass();
  waiter.finish();
  must(timer_delete(timer) == 0);
}

// A thread at its end, in a destructor of its own data.
struct Leaving {
  pthread_mutex_t inner = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER;
};

void destroy_data(void* data) {
  auto& leaving = *static_cast<Leaving*>(data);
  must(pthread_mutex_lock(&leaving.inner) == 0);
  must(pthread_mutex_lock(&leaving.outer) == 0);
  must(pthread_mutex_unlock(&leaving.outer) == 0);
  must(pthread_mutex_unlock(&leaving.inner) == 0);
}

void thread_leaving() {
  Leaving leaving;
  pthread_key_t key{};
  must(pthread_key_create(&key, destroy_data) == 0);
  Actor holder;
  holder.run([&] { must(pthread_mutex_lock(&leaving.outer) == 0); });
  for (const bool by_exit : {false, true}) {
    Actor waiter("leaving");
    waiter.run([&] { must(pthread_setspecific(key, &leaving) == 0); });
    Actor joiner;
    joiner.start([&] {
      if (!by_exit) return waiter.leave();
      waiter.start([] { pthread_exit(nullptr); });
      waiter.join();
    });
    until_blocked(waiter.tid(), leaving.outer);
    Expected()
        .number("waiter", waiter.tid())
        .number("holder", holder.tid())
        .address("inner", &leaving.inner)
        .address("outer", &leaving.outer)
        .show();
    holder.run([&] { must(pthread_mutex_unlock(&leaving.outer) == 0); });
    joiner.finish();
    holder.run([&] { must(pthread_mutex_lock(&leaving.outer) == 0); });
  }
  holder.run([&] { must(pthread_mutex_unlock(&leaving.outer) == 0); });
}

// The system makes no thread any more: none stays in the ledger, and the program goes on.
void thread_refused() {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  must(pthread_mutex_lock(&m) == 0);
  pthread_attr_t huge;
  must(pthread_attr_init(&huge) == 0);
  must(pthread_attr_setstacksize(&huge, size_t{1} << 46) == 0);
  Sleeper never;
  for (int i = 0; i < 100; ++i) {
    must(pthread_create(&never.thread, &huge, sleep_at_gate, &never) == EAGAIN);
  }
  must(pthread_attr_destroy(&huge) == 0);
  Expected().number("holder", getpid()).address("lock", &m).show();
  must(pthread_mutex_unlock(&m) == 0);
}

// Not one more process or thread for this user: not for impasse's own thread either.
void thread_limit() {
  constexpr uid_t kNobody = 65534;
  constexpr rlimit kNone{.rlim_cur = 0, .rlim_max = 0};
  must(setrlimit(RLIMIT_NPROC, &kNone) == 0);
  if (getuid() == 0) must(setresuid(kNobody, kNobody, kNobody) == 0);
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  must(pthread_mutex_lock(&m) == 0);
  Sleeper never;
  must(pthread_create(&never.thread, nullptr, sleep_at_gate, &never) == EAGAIN);
  Expected().number("holder", getpid()).address("lock", &m).show();
  must(pthread_mutex_unlock(&m) == 0);
}

constexpr Situation kSituations[] = {
    {"thread_joined", thread_joined},         {"thread_named", thread_named},
    {"thread_main_first", thread_main_first}, {"thread_main_first_many", thread_main_first_many},
    {"thread_successor", thread_successor},   {"thread_created", thread_created},
    {"thread_of_timer", thread_of_timer},     {"thread_leaving", thread_leaving},
    {"thread_refused", thread_refused},       {"thread_limit", thread_limit},
};

}  // namespace

std::span<const Situation> thread_situations() {
  return kSituations;
}

}  // namespace facts
