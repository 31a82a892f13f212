// Semaphores, barriers and what is done once: every answer and errno, who is woken, exceptions and
// cancellation on the way, and objects that end as soon as somebody was woken.
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <threads.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <stdexcept>
#include <thread>
#include <vector>

#include "support/blocked.h"
#include "support/bystander.h"
#include "support/deadline.h"
#include "support/driver.h"
#include "support/observed.h"

namespace {

using transparency::deadline;
using transparency::error_name;
using transparency::every_when;
using transparency::Gate;
using transparency::observe;
using transparency::Observed;
using transparency::require;
using transparency::say;
using transparency::wait_until_blocked_on;
using transparency::When;

// A thread of the C library's own, which says where it is.
class Thread {
 public:
  template <typename Body>
  explicit Thread(Body body)
      : thread_([this, body] {
          tid_.store(gettid());
          tid_.notify_all();
          body();
        }) {
    tid_.wait(0);
  }
  pid_t tid() const { return tid_.load(); }
  pthread_t handle() { return thread_.native_handle(); }
  void join() { thread_.join(); }

 private:
  std::atomic<pid_t> tid_{0};
  std::thread thread_;
};

int tokens_of(sem_t& semaphore) {
  int tokens = -1;
  require(sem_getvalue(&semaphore, &tokens) == 0, "sem_getvalue answers");
  return tokens;
}

void say_outcome(const char* what, const Observed& seen) {
  say("%s: %d, %s", what, seen.result, seen.errno_text());
}

// ---- semaphores

void semaphore_alone() {
  sem_t semaphore;
  say_outcome("init beyond the limit",
              observe([&] { return sem_init(&semaphore, 0, SEM_VALUE_MAX + 1u); }));
  say_outcome("init", observe([&] { return sem_init(&semaphore, 0, 2); }));
  say_outcome("wait", observe([&] { return sem_wait(&semaphore); }));
  say_outcome("trywait", observe([&] { return sem_trywait(&semaphore); }));
  say_outcome("trywait, empty", observe([&] { return sem_trywait(&semaphore); }));
  for (const bool shared : {false, true}) {
    require(sem_init(&semaphore, shared ? 1 : 0, 0) == 0, "a semaphore");
    for (const bool full : {false, true}) {
      for (const auto& [name, when] : every_when()) {
        if (when == When::kFar && !full) continue;
        say("shared %d, full %d, %s", shared, full, name);
        if (full) require(sem_post(&semaphore) == 0, "a token");
        const timespec real = deadline(CLOCK_REALTIME, when);
        const timespec monotonic = deadline(CLOCK_MONOTONIC, when);
        say_outcome("timedwait", observe([&] { return sem_timedwait(&semaphore, &real); }));
        if (full && tokens_of(semaphore) == 0) require(sem_post(&semaphore) == 0, "a token");
        say_outcome("clockwait", observe([&] {
                      return sem_clockwait(&semaphore, CLOCK_MONOTONIC, &monotonic);
                    }));
        if (full && tokens_of(semaphore) == 0) require(sem_post(&semaphore) == 0, "a token");
        say_outcome("clockwait, bad clock", observe([&] {
                      return sem_clockwait(&semaphore, CLOCK_PROCESS_CPUTIME_ID, &monotonic);
                    }));
        while (sem_trywait(&semaphore) == 0) {
        }
      }
    }
    say_outcome("destroy", observe([&] { return sem_destroy(&semaphore); }));
  }
  require(sem_init(&semaphore, 0, SEM_VALUE_MAX) == 0, "a full semaphore");
  say_outcome("post beyond the limit", observe([&] { return sem_post(&semaphore); }));
}

void semaphore_wakes() {
  sem_t semaphore;
  require(sem_init(&semaphore, 0, 0) == 0, "a semaphore");
  Observed seen{};
  Thread waiter([&] { seen = observe([&] { return sem_wait(&semaphore); }); });
  wait_until_blocked_on(waiter.tid(), semaphore);
  say_outcome("post", observe([&] { return sem_post(&semaphore); }));
  waiter.join();
  say_outcome("wait", seen);
  Thread timed([&] {
    const timespec far = deadline(CLOCK_REALTIME, When::kFar);
    seen = observe([&] { return sem_timedwait(&semaphore, &far); });
  });
  wait_until_blocked_on(timed.tid(), semaphore);
  require(sem_post(&semaphore) == 0, "a token");
  timed.join();
  say_outcome("timedwait", seen);
  say("tokens %d", tokens_of(semaphore));
}

// A handler ends a wait with EINTR, unless system calls are to be taken up again.
std::atomic<int> handled{0};

void semaphore_interrupted() {
  for (const int flags : {0, SA_RESTART}) {
    struct sigaction action {};
    action.sa_handler = [](int) { ++handled; };
    action.sa_flags = flags;
    require(sigaction(SIGUSR1, &action, nullptr) == 0, "a handler");
    sem_t semaphore;
    require(sem_init(&semaphore, 0, 0) == 0, "a semaphore");
    Observed seen{};
    Thread waiter([&] { seen = observe([&] { return sem_wait(&semaphore); }); });
    wait_until_blocked_on(waiter.tid(), semaphore);
    const int before = handled.load();
    require(pthread_kill(waiter.handle(), SIGUSR1) == 0, "a signal");
    if (flags != 0) {
      while (handled.load() == before) {
      }
      wait_until_blocked_on(waiter.tid(), semaphore);
      require(sem_post(&semaphore) == 0, "a token");
    }
    waiter.join();
    say_outcome(flags == 0 ? "interrupted" : "interrupted and taken up again", seen);
    say("tokens %d", tokens_of(semaphore));
  }
}

sem_t posted_by_handler;

void semaphore_posted_by_a_handler() {
  require(sem_init(&posted_by_handler, 0, 0) == 0, "a semaphore");
  struct sigaction action {};
  action.sa_handler = [](int) { sem_post(&posted_by_handler); };
  require(sigaction(SIGUSR1, &action, nullptr) == 0, "a handler");
  int woken = 0;
  for (int i = 0; i < 200; ++i) {
    require(raise(SIGUSR1) == 0, "a signal");
    woken += sem_wait(&posted_by_handler) == 0;
  }
  say("woken %d times", woken);
  // In the waiting thread itself, in the middle of its wait.
  Observed seen{};
  Thread waiter([&] { seen = observe([] { return sem_wait(&posted_by_handler); }); });
  wait_until_blocked_on(waiter.tid(), posted_by_handler);
  require(pthread_kill(waiter.handle(), SIGUSR1) == 0, "a signal");
  waiter.join();
  const int left = tokens_of(posted_by_handler);
  say("the token was taken or the wait interrupted: %d",
      (seen.result == 0 && left == 0) || (seen.errno_after == EINTR && left == 1));
}

void semaphore_cancelled() {
  sem_t semaphore;
  require(sem_init(&semaphore, 0, 0) == 0, "a semaphore");
  void* value = nullptr;
  pthread_t victim{};
  static std::atomic<pid_t> tid{0};
  const auto body = [](void* data) -> void* {
    tid.store(gettid());
    tid.notify_all();
    sem_wait(static_cast<sem_t*>(data));
    return nullptr;
  };
  require(pthread_create(&victim, nullptr, body, &semaphore) == 0, "a thread");
  tid.wait(0);
  wait_until_blocked_on(tid.load(), semaphore);
  require(pthread_cancel(victim) == 0 && pthread_join(victim, &value) == 0, "it is cancelled");
  say("blocked: cancelled %d, tokens %d", value == PTHREAD_CANCELED, tokens_of(semaphore));

  // Asked for before, with a token there: the token stays.
  require(sem_post(&semaphore) == 0, "a token");
  static Gate cancelled;
  const auto late = [](void* data) -> void* {
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, nullptr);
    cancelled.pass();
    pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, nullptr);
    sem_wait(static_cast<sem_t*>(data));
    return nullptr;
  };
  require(pthread_create(&victim, nullptr, late, &semaphore) == 0, "a thread");
  require(pthread_cancel(victim) == 0, "it is cancelled");
  cancelled.open();
  require(pthread_join(victim, &value) == 0, "it ends");
  say("pending: cancelled %d, tokens %d", value == PTHREAD_CANCELED, tokens_of(semaphore));
}

// Who was woken may end the semaphore's memory while the post is still on its way out.
void semaphore_unmapped_at_once() {
  for (int i = 0; i < 3'000; ++i) {
    void* const page =
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    require(page != MAP_FAILED, "a page");
    auto* const semaphore = static_cast<sem_t*>(page);
    require(sem_init(semaphore, 0, 0) == 0, "a semaphore");
    std::thread poster([semaphore] { sem_post(semaphore); });
    while (sem_wait(semaphore) != 0) {
    }
    // bare glibc itself reads the word that tells of sharing before it posts, never after
    require(munmap(page, 4096) == 0, "it is unmapped");
    poster.join();
  }
  say("all were posted");
}

void semaphore_traffic() {
  constexpr int kRounds = 20'000;
  std::array<sem_t, 3> ring{};
  for (sem_t& semaphore : ring) require(sem_init(&semaphore, 0, 0) == 0, "a semaphore");
  std::vector<std::thread> threads;
  std::atomic<long> passed{0};
  for (std::size_t t = 0; t < ring.size(); ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kRounds; ++i) {
        require(sem_wait(&ring[t]) == 0, "a token comes");
        ++passed;
        require(sem_post(&ring[(t + 1) % ring.size()]) == 0, "it is handed on");
      }
    });
  }
  require(sem_post(&ring[0]) == 0, "the token");
  for (std::thread& thread : threads) thread.join();
  say("passed %ld times", passed.load());
}

void semaphore_of_two_processes() {
  void* const page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  require(page != MAP_FAILED, "a page");
  auto* const semaphores = static_cast<sem_t*>(page);
  require(sem_init(&semaphores[0], 1, 0) == 0 && sem_init(&semaphores[1], 1, 0) == 0, "semaphores");
  const pid_t child = fork();
  require(child >= 0, "a child");
  if (child == 0) {
    for (int i = 0; i < 100; ++i) {
      if (sem_wait(&semaphores[0]) != 0 || sem_post(&semaphores[1]) != 0) _exit(1);
    }
    _exit(0);
  }
  for (int i = 0; i < 100; ++i)
    require(sem_post(&semaphores[0]) == 0 && sem_wait(&semaphores[1]) == 0, "there and back");
  int status = -1;
  require(waitpid(child, &status, 0) == child, "the child ends");
  say("status %d", status);
}

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
    {"semaphore-alone", semaphore_alone},
    {"semaphore-wakes", semaphore_wakes},
    {"semaphore-interrupted", semaphore_interrupted},
    {"semaphore-posted-by-a-handler", semaphore_posted_by_a_handler},
    {"semaphore-cancelled", semaphore_cancelled},
    {"semaphore-unmapped-at-once", semaphore_unmapped_at_once},
    {"semaphore-traffic", semaphore_traffic},
    {"semaphore-of-two-processes", semaphore_of_two_processes},
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
