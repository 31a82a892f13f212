// Barriers, and what is done once: every answer and errno, who waits for whom, and exceptions,
// cancellation and forks on the way.
#include <pthread.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/blocked.h"
#include "support/bystander.h"
#include "support/driver.h"
#include "support/observed.h"
#include "support/say_outcome.h"
#include "support/thread.h"

namespace {

using transparency::error_name;
using transparency::Gate;
using transparency::observe;
using transparency::Observed;
using transparency::require;
using transparency::say;
using transparency::say_outcome;
using transparency::Thread;
using transparency::wait_until_blocked_on;

// ---- barriers

void barrier_rounds() {
  pthread_barrier_t barrier;
  say("init for nobody: %s", error_name(pthread_barrier_init(&barrier, nullptr, 0)));
  constexpr int kThreads = 4;
  constexpr int kRounds = 500;
  const Observed made = observe([&] { return pthread_barrier_init(&barrier, nullptr, kThreads); });
  say_outcome("init", made);
  std::atomic<int> serial{0};
  std::atomic<int> others{0};
  std::atomic<int> errno_changed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        const Observed seen = observe([&] { return pthread_barrier_wait(&barrier); });
        if (seen.result == PTHREAD_BARRIER_SERIAL_THREAD) ++serial;
        if (seen.result == 0) ++others;
        if (seen.errno_after != Observed::kMarker) ++errno_changed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  say("serial %d, others %d, errno changed %d", serial.load(), others.load(), errno_changed.load());
  say_outcome("destroy", observe([&] { return pthread_barrier_destroy(&barrier); }));
}

// No point of cancellation: the thread stays until the others have come.
void barrier_is_no_cancellation_point() {
  pthread_barrier_t barrier;
  require(pthread_barrier_init(&barrier, nullptr, 2) == 0, "a barrier");
  static std::atomic<pid_t> tid{0};
  static std::atomic<bool> passed{false};
  pthread_t victim{};
  const auto body = [](void* data) -> void* {
    tid.store(gettid());
    tid.notify_all();
    pthread_barrier_wait(static_cast<pthread_barrier_t*>(data));
    passed.store(true);
    pthread_testcancel();
    return nullptr;
  };
  require(pthread_create(&victim, nullptr, body, &barrier) == 0, "a thread");
  tid.wait(0);
  wait_until_blocked_on(tid.load(), barrier);
  require(pthread_cancel(victim) == 0, "it is cancelled");
  pthread_barrier_wait(&barrier);
  void* value = nullptr;
  require(pthread_join(victim, &value) == 0, "it ends");
  say("passed %d, cancelled %d", passed.load(), value == PTHREAD_CANCELED);
}

// ---- once

int runs = 0;

void once_nested() {
  static pthread_once_t outer = PTHREAD_ONCE_INIT;
  static pthread_once_t inner = PTHREAD_ONCE_INIT;
  static once_flag innermost = ONCE_FLAG_INIT;
  for (int i = 0; i < 3; ++i) {
    const Observed seen = observe([] {
      return pthread_once(&outer, [] {
        ++runs;
        pthread_once(&inner, [] {
          ++runs;
          call_once(&innermost, [] { ++runs; });
        });
        pthread_once(&inner, [] { runs += 100; });
      });
    });
    say_outcome("pthread_once", seen);
    say("runs %d", runs);
  }
  call_once(&innermost, [] { runs += 100; });
  say("runs %d", runs);
}

Gate begun;
Gate may_end;

void once_waited_for() {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  std::thread first([] {
    pthread_once(&once, [] {
      ++runs;
      begun.open();
      may_end.pass();
    });
  });
  begun.pass();
  Observed seen{};
  Thread second([&] { seen = observe([] { return pthread_once(&once, [] { runs += 100; }); }); });
  wait_until_blocked_on(second.tid(), once);
  may_end.open();
  first.join();
  second.join();
  say_outcome("the second", seen);
  say("runs %d", runs);
}

// The one who waits gets to run it when the first one threw or was cancelled.
void once_passed_on() {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  static Gate second_runs;
  const char* caught = "nothing";
  int third_answer = -1;
  static pthread_t victim{};
  const auto body = [](void*) -> void* {
    pthread_once(&once, [] {
      ++runs;
      begun.open();
      for (;;) pause();
    });
    return nullptr;
  };
  require(pthread_create(&victim, nullptr, body, nullptr) == 0, "a thread");
  begun.pass();
  Thread second([&] {
    try {
      pthread_once(&once, [] {
        ++runs;
        second_runs.open();
        may_end.pass();
        throw std::runtime_error("not yet");
      });
    } catch (const std::runtime_error&) {
      caught = "what was thrown";
    }
  });
  wait_until_blocked_on(second.tid(), once);
  void* value = nullptr;
  require(pthread_cancel(victim) == 0 && pthread_join(victim, &value) == 0, "it is cancelled");
  say("cancelled %d", value == PTHREAD_CANCELED);
  second_runs.pass();
  Thread third([&] { third_answer = pthread_once(&once, [] { ++runs; }); });
  wait_until_blocked_on(third.tid(), once);
  may_end.open();
  second.join();
  third.join();
  say("the second caught %s, the third: %d", caught, third_answer);
  say("runs %d, again: %d", runs, pthread_once(&once, [] { runs += 100; }));
}

// libc begins anew, in a child, what another thread of its parent was in the middle of.
void once_across_a_fork() {
  static pthread_once_t theirs = PTHREAD_ONCE_INIT;
  static pthread_once_t own = PTHREAD_ONCE_INIT;
  std::thread first([] {
    pthread_once(&theirs, [] {
      begun.open();
      may_end.pass();
    });
  });
  begun.pass();
  pid_t child = -1;
  static pid_t* forked = &child;
  pthread_once(&own, [] { *forked = fork(); });
  if (child == 0) {
    pthread_once(&theirs, [] { ++runs; });
    pthread_once(&own, [] { runs += 100; });
    std::thread([] { ++runs; }).join();
    _exit(runs);
  }
  int status = -1;
  require(waitpid(child, &status, 0) == child, "the child ends");
  may_end.open();
  first.join();
  say("child %d", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
}

// The very first call of a process that makes its first thread.
void once_makes_threads() {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  require(pthread_mutex_lock(&mutex) == 0, "a lock");
  pthread_once(&once, [] { std::thread([] { ++runs; }).join(); });
  require(pthread_mutex_unlock(&mutex) == 0, "it is given back");
  say("runs %d", runs);
}

constexpr transparency::Case kCases[] = {
    {"barrier-rounds", barrier_rounds},
    {"barrier-is-no-cancellation-point", barrier_is_no_cancellation_point},
    {"once-nested", once_nested},
    {"once-waited-for", once_waited_for},
    {"once-passed-on", once_passed_on},
    {"once-across-a-fork", once_across_a_fork},
    {"once-makes-threads", once_makes_threads},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
