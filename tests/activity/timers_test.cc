// Which signals the timers of this process are about to send.
#include "system/timers.h"

#include <gtest/gtest.h>
#include <sys/time.h>

#include <csignal>
#include <ctime>
#include <deque>

namespace impasse::system {
namespace {

constexpr std::uint64_t bit(int signal) {
  return std::uint64_t{1} << (signal - 1);
}

std::uint64_t signals() {
  std::uint64_t found = 0;
  EXPECT_TRUE(signals_of_running_timers(found));
  return found;
}

void set_interval_timer(__itimer_which which, long seconds) {
  itimerval time{};
  time.it_value.tv_sec = seconds;
  ASSERT_EQ(setitimer(which, &time, nullptr), 0);
}

// One of timer_create(), not running yet.
class Made {
 public:
  explicit Made(int notify, int signal = 0, clockid_t clock = CLOCK_MONOTONIC) {
    sigevent how{};
    how.sigev_notify = notify;
    how.sigev_signo = signal;
    how.sigev_notify_function = [](sigval) {};
    EXPECT_EQ(timer_create(clock, &how, &timer_), 0);
  }
  ~Made() { timer_delete(timer_); }
  Made(const Made&) = delete;
  Made& operator=(const Made&) = delete;

  void set(long seconds) {
    itimerspec time{};
    time.it_value.tv_sec = seconds;
    ASSERT_EQ(timer_settime(timer_, 0, &time, nullptr), 0);
  }

 private:
  timer_t timer_ = nullptr;
};

TEST(Timers, None) {
  EXPECT_EQ(signals(), 0U);
}

TEST(Timers, OfIntervals) {
  set_interval_timer(ITIMER_REAL, 600);
  EXPECT_EQ(signals(), bit(SIGALRM));
  set_interval_timer(ITIMER_PROF, 600);
  set_interval_timer(ITIMER_VIRTUAL, 600);
  EXPECT_EQ(signals(), bit(SIGALRM) | bit(SIGPROF) | bit(SIGVTALRM));
  for (const auto which : {ITIMER_REAL, ITIMER_PROF, ITIMER_VIRTUAL}) set_interval_timer(which, 0);
  EXPECT_EQ(signals(), 0U);
}

TEST(Timers, ThatWereMade) {
  Made first(SIGEV_SIGNAL, SIGUSR1);
  Made second(SIGEV_SIGNAL, SIGRTMAX, CLOCK_REALTIME);
  EXPECT_EQ(signals(), 0U) << "they do not run";
  second.set(600);
  EXPECT_EQ(signals(), bit(SIGRTMAX));
  first.set(600);
  EXPECT_EQ(signals(), bit(SIGRTMAX) | bit(SIGUSR1));
  second.set(0);
  EXPECT_EQ(signals(), bit(SIGUSR1));
}

TEST(Timers, ThatTellNobody) {
  Made made(SIGEV_NONE, SIGUSR1);
  made.set(600);
  EXPECT_EQ(signals(), 0U);
}

TEST(Timers, ThatStartThreads) {
  Made made(SIGEV_THREAD);
  made.set(600);
  EXPECT_EQ(signals(), bit(kSignalOfTimerThreads));
}

TEST(Timers, OfManyOne) {
  std::deque<Made> made;
  for (int i = 0; i < 50; ++i) made.emplace_back(SIGEV_SIGNAL, SIGUSR2);
  EXPECT_EQ(signals(), 0U);
  made[37].set(600);
  EXPECT_EQ(signals(), bit(SIGUSR2));
}

}  // namespace
}  // namespace impasse::system
