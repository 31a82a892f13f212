// Semaphores: every answer and errno, who is woken, signals and cancellation on the way, two
// processes, and memory that ends as soon as somebody was woken.
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <thread>
#include <vector>

#include "support/blocked.h"
#include "support/bystander.h"
#include "support/deadline.h"
#include "support/driver.h"
#include "support/observed.h"
#include "support/say_outcome.h"
#include "support/thread.h"

namespace {

using transparency::deadline;
using transparency::every_when;
using transparency::Gate;
using transparency::observe;
using transparency::Observed;
using transparency::require;
using transparency::say;
using transparency::say_outcome;
using transparency::Thread;
using transparency::wait_until_blocked_on;
using transparency::When;

int tokens_of(sem_t& semaphore) {
  int tokens = -1;
  require(sem_getvalue(&semaphore, &tokens) == 0, "sem_getvalue answers");
  return tokens;
}

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

constexpr transparency::Case kCases[] = {
    {"semaphore-alone", semaphore_alone},
    {"semaphore-wakes", semaphore_wakes},
    {"semaphore-interrupted", semaphore_interrupted},
    {"semaphore-posted-by-a-handler", semaphore_posted_by_a_handler},
    {"semaphore-cancelled", semaphore_cancelled},
    {"semaphore-unmapped-at-once", semaphore_unmapped_at_once},
    {"semaphore-traffic", semaphore_traffic},
    {"semaphore-of-two-processes", semaphore_of_two_processes},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
