// Signal handlers that come between.
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <functional>

#include "actor.h"
#include "blocked.h"
#include "expected.h"
#include "locks.h"
#include "situation.h"

namespace facts {
namespace {

std::function<void()> in_handler;

void handle(int) {
  in_handler();
}

void interrupt(const Actor& actor, std::function<void()> task) {
  in_handler = std::move(task);
  struct sigaction action {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;
  must(sigaction(SIGUSR1, &action, nullptr) == 0);
  must(pthread_kill(actor.handle(), SIGUSR1) == 0);
}

// A thread waits for a mutex; a handler in it waits for another lock.
template <typename Lock, typename Take, typename Give>
void interrupted(Lock& wanted, Take take, Take take_first, Give give) {
  pthread_mutex_t first = PTHREAD_MUTEX_INITIALIZER;
  Actor holder;
  Actor waiter;
  holder.run([&] {
    must(pthread_mutex_lock(&first) == 0);
    must(take_first(&wanted) == 0);
  });
  waiter.start([&] {
    must(pthread_mutex_lock(&first) == 0);
    must(pthread_mutex_unlock(&first) == 0);
  });
  until_blocked(waiter.tid(), first);
  interrupt(waiter, [&] {
    must(take(&wanted) == 0);
    must(give(&wanted) == 0);
  });
  until_blocked(waiter.tid(), wanted);
  const auto expected = Expected()
                            .number("holder", holder.tid())
                            .number("waiter", waiter.tid())
                            .address("first", &first)
                            .address("wanted", &wanted);
  Expected(expected).text("in", "handler").show();
  holder.run([&] { must(give(&wanted) == 0); });
  until_blocked(waiter.tid(), first);
  Expected(expected).text("in", "thread").show();
  holder.run([&] { must(pthread_mutex_unlock(&first) == 0); });
  waiter.finish();
  Expected(expected).text("in", "nothing").show();
}

void handler_waits() {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  interrupted(m, pthread_mutex_lock, pthread_mutex_lock, pthread_mutex_unlock);
}

void handler_reads() {
  pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;
  interrupted(l, pthread_rwlock_rdlock, pthread_rwlock_wrlock, pthread_rwlock_unlock);
}

// A handler forks while its thread waits; parent and child both go on from there.
void handler_forks() {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  Actor holder;
  Actor waiter;
  holder.run([&] { must(pthread_mutex_lock(&m) == 0); });
  pid_t child = -1;
  int answer = 0;
  waiter.start([&] {
    const timespec end = in_ms(CLOCK_REALTIME, 500);
    answer = pthread_mutex_timedlock(&m, &end);
    // Where it was forked to, the mutex is held by a thread that did not come along.
    if (child == 0) _exit(answer == ETIMEDOUT ? 0 : 4);
  });
  until_blocked(waiter.tid(), m);
  Gate forked;
  interrupt(waiter, [&] {
    child = fork();
    if (child == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
    forked.open();
  });
  forked.pass();
  waiter.finish();
  must(answer == ETIMEDOUT);
  int status = 0;
  must(waitpid(child, &status, 0) == child);
  Expected()
      .number("holder", holder.tid())
      .number("waiter", waiter.tid())
      .address("lock", &m)
      .number("child_status", status)
      .show();
  holder.run([&] { must(pthread_mutex_unlock(&m) == 0); });
}

struct Beginner {
  pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
  Gate locked;
  Gate end;
  pid_t tid = 0;

  static void* run(void* self) {
    auto& mine = *static_cast<Beginner*>(self);
    mine.tid = gettid();
    must(pthread_mutex_lock(&mine.held) == 0);
    mine.locked.open();
    mine.end.pass();
    must(pthread_mutex_unlock(&mine.held) == 0);
    return nullptr;
  }
};

// The signal is there already, and the new thread is the first that takes it: the handler locks
// before anything of the thread's own has run.
void handler_before_begin() {
  Actor companion;  // threads are watched from now on
  pthread_mutex_t in_between = PTHREAD_MUTEX_INITIALIZER;
  int handled = 0;
  in_handler = [&] {
    must(pthread_mutex_lock(&in_between) == 0);
    must(pthread_mutex_unlock(&in_between) == 0);
    ++handled;
  };
  struct sigaction action {};
  action.sa_handler = handle;
  must(sigaction(SIGUSR2, &action, nullptr) == 0);
  sigset_t none;
  sigset_t blocked;
  sigemptyset(&none);
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR2);
  must(pthread_sigmask(SIG_BLOCK, &blocked, nullptr) == 0);
  pthread_attr_t attributes;
  must(pthread_attr_init(&attributes) == 0);
  must(pthread_attr_setsigmask_np(&attributes, &none) == 0);
  companion.run([&] {
    must(pthread_sigmask(SIG_BLOCK, &blocked, nullptr) == 0);
    must(kill(getpid(), SIGUSR2) == 0);
  });
  Beginner beginner;
  pthread_t thread{};
  must(pthread_create(&thread, &attributes, Beginner::run, &beginner) == 0);
  beginner.locked.pass();
  Expected()
      .number("beginner", beginner.tid)
      .number("handled", handled)
      .address("lock", &beginner.held)
      .show();
  beginner.end.open();
  must(pthread_join(thread, nullptr) == 0);
  pthread_attr_destroy(&attributes);
}

constexpr Situation kSituations[] = {
    {"handler_before_begin", handler_before_begin},
    {"handler_waits", handler_waits},
    {"handler_reads", handler_reads},
    {"handler_forks", handler_forks},
};

}  // namespace

std::span<const Situation> signal_situations() {
  return kSituations;
}

}  // namespace facts
