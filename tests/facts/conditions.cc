// Condition waits: the mutex is given back meanwhile.
#include <pthread.h>

#include <cerrno>
#include <utility>

#include "actor.h"
#include "blocked.h"
#include "expected.h"
#include "locks.h"
#include "situation.h"

namespace facts {
namespace {

struct Meeting {
  pthread_mutex_t kept = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  Actor waiter;
  int lock_line = 0;
  int wait_line = 0;

  Expected expected() const {
    return Expected()
        .address("kept", &kept)
        .address("mutex", &mutex)
        .address("condition", &condition)
        .number("waiter", waiter.tid())
        .number("lock_line", lock_line)
        .number("wait_line", wait_line);
  }
  void lock() {
    must(pthread_mutex_lock(&kept) == 0);
    lock_line = __LINE__, must(pthread_mutex_lock(&mutex) == 0);
  }
  void unlock() {
    must(pthread_mutex_unlock(&mutex) == 0);
    must(pthread_mutex_unlock(&kept) == 0);
  }
  void signal() { must(pthread_cond_signal(&condition) == 0); }
};

void condition_waited() {
  Meeting meeting;
  Actor other;
  meeting.waiter.start([&] {
    meeting.lock();
    meeting.wait_line = __LINE__ + 1;
    must(pthread_cond_wait(&meeting.condition, &meeting.mutex) == 0);
  });
  until_blocked(meeting.waiter.tid(), meeting.condition);
  meeting.expected().show();
  // Somebody else may have the mutex now.
  other.run([&] { must(pthread_mutex_lock(&meeting.mutex) == 0); });
  meeting.expected().number("other", other.tid()).show();
  other.run([&] { must(pthread_mutex_unlock(&meeting.mutex) == 0); });
  meeting.signal();
  meeting.waiter.finish();
  meeting.expected().show();
  meeting.waiter.run([&] { meeting.unlock(); });
}

// Waits that would give up some day; then one that does.
void condition_timed() {
  Meeting meeting;
  meeting.waiter.run([&] { meeting.lock(); });
  const auto wait_until = [&meeting](bool clock, const timespec& end) {
    if (!clock) return pthread_cond_timedwait(&meeting.condition, &meeting.mutex, &end);
    return pthread_cond_clockwait(&meeting.condition, &meeting.mutex, CLOCK_MONOTONIC, &end);
  };
  for (const bool clock : {false, true}) {
    const clockid_t which = clock ? CLOCK_MONOTONIC : CLOCK_REALTIME;
    meeting.waiter.start([&] { must(wait_until(clock, in_ms(which, kNeverMs)) == 0); });
    until_blocked(meeting.waiter.tid(), meeting.condition);
    meeting.expected().text("state", "waits").show();
    meeting.signal();
    meeting.waiter.finish();
    meeting.waiter.run([&] { must(wait_until(clock, in_ms(which, 20)) == ETIMEDOUT); });
    meeting.expected().text("state", "gave up").show();
  }
  meeting.waiter.run([&] { meeting.unlock(); });
}

// A recursive mutex that was taken twice: a wait gives one level back, so it stays held.
void condition_recursive() {
  Meeting meeting;
  make(meeting.mutex, {.type = PTHREAD_MUTEX_RECURSIVE});
  meeting.waiter.start([&] {
    meeting.lock();
    must(pthread_mutex_lock(&meeting.mutex) == 0);
    must(pthread_cond_wait(&meeting.condition, &meeting.mutex) == 0);
    must(pthread_mutex_unlock(&meeting.mutex) == 0);
  });
  until_blocked(meeting.waiter.tid(), meeting.condition);
  meeting.expected().show();
  meeting.signal();
  meeting.waiter.finish();
  meeting.expected().show();
  meeting.waiter.run([&] { meeting.unlock(); });
}

void unlock_both(void* meeting) {
  static_cast<Meeting*>(meeting)->unlock();
}

void condition_cancelled() {
  Meeting meeting;
  meeting.waiter.start([&] {
    meeting.lock();
    pthread_cleanup_push(unlock_both, &meeting);
    pthread_cond_wait(&meeting.condition, &meeting.mutex);
    must(false);
    pthread_cleanup_pop(0);
  });
  until_blocked(meeting.waiter.tid(), meeting.condition);
  must(pthread_cancel(meeting.waiter.handle()) == 0);
  meeting.waiter.join();
  meeting.expected().show();
}

// Nobody unlocks what the cancelled thread had: libc took the mutex again for it.
void condition_cancelled_holding() {
  Meeting meeting;
  meeting.waiter.start([&] {
    meeting.lock();
    pthread_cond_wait(&meeting.condition, &meeting.mutex);
    must(false);
  });
  until_blocked(meeting.waiter.tid(), meeting.condition);
  must(pthread_cancel(meeting.waiter.handle()) == 0);
  meeting.waiter.join();
  meeting.expected().show();
}

// The mutex that a waiter takes again was left behind by a thread that ended.
void condition_robust() {
  Meeting meeting;
  make(meeting.mutex, {.robust = true});
  Actor other("short-lived");
  int answer = 0;
  meeting.waiter.start([&] {
    meeting.lock();
    answer = pthread_cond_wait(&meeting.condition, &meeting.mutex);
  });
  until_blocked(meeting.waiter.tid(), meeting.condition);
  other.run([&] { must(pthread_mutex_lock(&meeting.mutex) == 0); });
  other.leave();
  meeting.expected().number("departed", other.tid()).show();
  meeting.signal();
  meeting.waiter.finish();
  must(answer == EOWNERDEAD);
  meeting.waiter.run([&] { must(pthread_mutex_consistent(&meeting.mutex) == 0); });
  meeting.expected().show();
  meeting.waiter.run([&] { meeting.unlock(); });
}

constexpr Situation kSituations[] = {
    {"condition_waited", condition_waited},
    {"condition_timed", condition_timed},
    {"condition_recursive", condition_recursive},
    {"condition_cancelled", condition_cancelled},
    {"condition_cancelled_holding", condition_cancelled_holding},
    {"condition_robust", condition_robust},
};

}  // namespace

std::span<const Situation> condition_situations() {
  return kSituations;
}

}  // namespace facts
