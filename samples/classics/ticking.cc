#include <sys/time.h>

#include <chrono>
#include <condition_variable>
#include <csignal>
#include <ctime>
#include <mutex>

#include "classics/classics.h"

namespace classics {

// Everybody waits, and a timer will call. The calls are made from a handler, which POSIX does not
// promise to work; it does where the threads that it interrupts sleep, and programs rely on that.

namespace {

constexpr long kTickMs = 1500;

std::mutex hours_mutex;
std::condition_variable hour_passed;
std::atomic<bool> passed{false};

[[gnu::noinline]] void waitForTheHour() {
  std::unique_lock lock(hours_mutex);
  hour_passed.wait(lock, [] { return passed.load(); });
}

void tell(int) {
  passed = true;
  hour_passed.notify_all();
}

void tell_by_thread(sigval) {
  const std::lock_guard lock(hours_mutex);
  tell(0);
}

void hear_nothing(int) {}

void handle_alarms(void (*handler)(int)) {
  struct sigaction action {};
  action.sa_handler = handler;
  sigaction(SIGALRM, &action, nullptr);
}

// Once, after kTickMs.
void set_clock() {
  itimerval time{};
  time.it_value = {kTickMs / 1000, kTickMs % 1000 * 1000};
  if (setitimer(ITIMER_REAL, &time, nullptr) != 0) samples::not_as_claimed("setitimer");
}

void make_clock(sigevent how) {
  timer_t timer = nullptr;
  itimerspec time{};
  time.it_value = {kTickMs / 1000, kTickMs % 1000 * 1'000'000};
  if (timer_create(CLOCK_MONOTONIC, &how, &timer) != 0 ||
      timer_settime(timer, 0, &time, nullptr) != 0) {
    samples::not_as_claimed("timer_create");
  }
}

int join_sleeper(samples::Actor& sleeper) {
  sleeper.join();
  return passed ? 0 : 1;
}

bool sleeps(const samples::Actor& sleeper) {
  return samples::wait_until([&] { return sleeper.is_blocked_on(hour_passed); });
}

}  // namespace

int ticking(const samples::Arguments&, bool) {
  handle_alarms(tell);
  samples::Actor sleeper("sleeper", waitForTheHour);
  if (!sleeps(sleeper)) return 1;
  set_clock();
  return join_sleeper(sleeper);
}

int ticking_made(const samples::Arguments&, bool) {
  handle_alarms(tell);
  samples::Actor sleeper("sleeper", waitForTheHour);
  if (!sleeps(sleeper)) return 1;
  sigevent how{};
  how.sigev_notify = SIGEV_SIGNAL;
  how.sigev_signo = SIGALRM;
  make_clock(how);
  return join_sleeper(sleeper);
}

int ticking_thread(const samples::Arguments&, bool) {
  samples::Actor sleeper("sleeper", waitForTheHour);
  if (!sleeps(sleeper)) return 1;
  sigevent how{};
  how.sigev_notify = SIGEV_THREAD;
  how.sigev_notify_function = tell_by_thread;
  make_clock(how);
  return join_sleeper(sleeper);
}

// ---- and then nobody is left: the handler wakes nobody

int ticking_unheard(const samples::Arguments&, bool repaired) {
  handle_alarms(repaired ? tell : hear_nothing);
  samples::Actor sleeper("sleeper", waitForTheHour);
  if (!sleeps(sleeper)) return 1;
  if (!repaired) samples::announce({&sleeper});
  set_clock();
  return join_sleeper(sleeper);
}

// ---- or there is none: the timer's end is the process's

int ticking_unhandled(const samples::Arguments&, bool repaired) {
  samples::Actor sleeper("sleeper", waitForTheHour);
  if (!sleeps(sleeper)) return 1;
  if (repaired) {
    tell(0);
  } else {
    samples::announce({&sleeper});
    alarm(600);
  }
  return join_sleeper(sleeper);
}

}  // namespace classics
