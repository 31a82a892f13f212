// The ways in which threads and processes end, with locks involved in each.
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "support/blocked.h"
#include "support/bystander.h"
#include "support/driver.h"
#include "support/observed.h"

namespace {

using transparency::Bystander;
using transparency::error_name;
using transparency::Gate;
using transparency::require;
using transparency::say;
using transparency::Tally;

void say_ok_at_exit() {
  require(std::atexit([] { say("ok"); }) == 0, "a handler for the exit");
}

std::mutex& lasting_mutex() {
  static auto* mutex = new std::mutex;  // outlives every destructor
  return *mutex;
}

// The process lives until its last thread ends, and then ends with 0.
void main_leaves_first() {
  say_ok_at_exit();
  static Gate main_is_leaving;
  static std::atomic<int> left{3};
  static const pthread_t main_thread = pthread_self();
  for (int i = 0; i < 3; ++i) {
    std::thread([] {
      main_is_leaving.pass();
      // Only the end of the main thread lets this come back.
      if (left.fetch_sub(1) == 3) pthread_join(main_thread, nullptr);
      const std::scoped_lock lock(lasting_mutex());
      if (left.load() == 0 && left.exchange(-1) == 0) say("a thread that outlived main");
    }).detach();
  }
  main_is_leaving.open();
  pthread_exit(nullptr);
}

void main_leaves_alone() {
  say_ok_at_exit();
  pthread_exit(nullptr);
}

// Alone again, after there were others.
void main_leaves_last() {
  say_ok_at_exit();
  for (int i = 0; i < 5; ++i)
    std::thread([] { const std::scoped_lock lock(lasting_mutex()); }).join();
  pthread_exit(nullptr);
}

void main_leaves_and_a_thread_exits() {
  static Gate main_is_leaving;
  static const pthread_t main_thread = pthread_self();
  std::thread([] {
    main_is_leaving.pass();
    pthread_join(main_thread, nullptr);
    say("a thread ends the process");
    say("ok");
    exit(0);
  }).detach();
  main_is_leaving.open();
  pthread_exit(nullptr);
}

void register_locking_handler() {
  say_ok_at_exit();
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
  std::atexit([] {
    const int results[] = {pthread_mutex_lock(&mutex), pthread_rwlock_rdlock(&rwlock),
                           pthread_rwlock_unlock(&rwlock), pthread_mutex_unlock(&mutex)};
    for (const int result : results) say("in the handler: %s", error_name(result));
  });
}

void handlers_lock_and_make_threads() {
  register_locking_handler();
  std::atexit([] {
    int sum = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 3; ++i) {
      threads.emplace_back([&] {
        const std::scoped_lock lock(lasting_mutex());
        ++sum;
      });
    }
    for (std::thread& thread : threads) thread.join();
    say("threads made in the handler: %d", sum);
  });
}

// Run by the end of the last thread instead of by main's return. (They may make no threads then: in
// glibc the last one of those would run the handlers a second time.)
void handlers_lock_after_main() {
  register_locking_handler();
  main_leaves_first();
}

void returns_among_busy_threads() {
  static Tally busy;
  for (int i = 0; i < 4; ++i) {
    std::thread([] {
      static auto* other = new std::mutex;
      busy.arrive();
      for (;;) {
        const std::scoped_lock both(lasting_mutex(), *other);
      }
    }).detach();
  }
  busy.wait_for(4);
  for (int i = 0; i < 1'000; ++i) const std::scoped_lock lock(lasting_mutex());
}

// exit() by another thread than main, while main and more are blocked in every kind of wait.
void exit_while_others_block() {
  say_ok_at_exit();
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
  static pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
  static std::atomic<pid_t> reader{0};
  static std::atomic<pid_t> sleeper{0};
  static Gate all_held;
  std::thread([] {
    pthread_mutex_lock(&mutex);
    pthread_rwlock_wrlock(&rwlock);
    all_held.open();
    reader.wait(0);
    sleeper.wait(0);
    transparency::wait_until_blocked_on(reader, rwlock);
    transparency::wait_until_blocked_on(sleeper, cond);
    transparency::wait_until_blocked_on(getpid(), mutex);
    say("everybody is blocked");
    exit(0);
  }).detach();
  all_held.pass();
  const auto announce = [](std::atomic<pid_t>& who) {
    who = gettid();
    who.notify_all();
  };
  std::thread([=] {
    announce(reader);
    pthread_rwlock_rdlock(&rwlock);
  }).detach();
  std::thread([=] {
    pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&own);
    announce(sleeper);
    for (;;) pthread_cond_wait(&cond, &own);
  }).detach();
  pthread_mutex_lock(&mutex);
  say("never reached");
}

void quickly() {
  Bystander other;
  at_quick_exit([] {
    const std::scoped_lock lock(lasting_mutex());
    say("in the handler for quick_exit");
    say("ok");
  });
  std::atexit([] { say("never reached"); });
  quick_exit(0);
}

void at_once() {
  Bystander other;
  lasting_mutex().lock();
  std::atexit([] { say("never reached"); });
  say("ok");
  _exit(0);
}

void key_destructors() {
  static pthread_key_t key;
  static int rounds;
  static std::mutex mutex;
  rounds = 0;
  pthread_key_create(&key, [](void* value) {
    const std::scoped_lock both(mutex, lasting_mutex());
    ++rounds;
    pthread_setspecific(key, value);  // once more, until glibc has had enough
  });
  for (int i = 0; i < 3; ++i) {
    std::thread([] { pthread_setspecific(key, &key); }).join();
    say("rounds %d, of at most %d a thread", rounds, PTHREAD_DESTRUCTOR_ITERATIONS);
  }
}

struct LockingObject {
  std::mutex mutex;
  const char* name;
  explicit LockingObject(const char* what) : name(what) {}
  ~LockingObject() {
    const std::scoped_lock both(mutex, lasting_mutex());
    say("destructor of %s", name);
  }
};

void thread_local_destructors() {
  say_ok_at_exit();
  static LockingObject static_object("a static object");
  thread_local LockingObject mine("main's thread_local object");
  mine.mutex.lock();
  mine.mutex.unlock();
  std::thread([] {
    thread_local LockingObject first("the thread's first object");
    thread_local LockingObject second("the thread's second object");
    const std::scoped_lock both(first.mutex, second.mutex);
  }).join();
}

void thread_local_destructors_without_main() {
  thread_local_destructors();
  pthread_exit(nullptr);
}

void threads_leave_locks_behind() {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
  std::thread([] {
    pthread_mutex_lock(&mutex);
    pthread_rwlock_rdlock(&rwlock);
  }).join();
  say("mutex %s", error_name(pthread_mutex_trylock(&mutex)));
  say("rwlock for reading %s", error_name(pthread_rwlock_tryrdlock(&rwlock)));
  say("rwlock for writing %s", error_name(pthread_rwlock_trywrlock(&rwlock)));
}

// glibc asks every thread, by a signal, to change its own credentials: each must answer.
void credentials() {
  static Gate end;
  static std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  threads.emplace_back([] { end.pass(); });
  threads.emplace_back([] {
    while (!stop) const std::scoped_lock lock(lasting_mutex());
  });
  const auto change = [] {
    int failed = 0;
    for (int i = 0; i < 20; ++i) {
      failed += setgid(getgid()) != 0;
      failed += setuid(getuid()) != 0;
      failed += setegid(getegid()) != 0;
      failed += seteuid(geteuid()) != 0;
      failed += setresuid(getuid(), geteuid(), getuid()) != 0;
    }
    return failed;
  };
  say("from main: failed %d", change());
  int failed = 0;
  std::thread([&] { failed = change(); }).join();
  say("from a thread: failed %d", failed);
  stop = true;
  end.open();
  for (std::thread& thread : threads) thread.join();
}

// Two threads that wait for each other are no reason to stay.
void returns_despite_a_deadlock() {
  static std::mutex first;
  static std::mutex second;
  static Tally both_hold;
  static std::atomic<pid_t> tids[2];
  const auto meet = [](std::mutex& mine, std::mutex& theirs, std::atomic<pid_t>& tid) {
    mine.lock();
    tid = gettid();
    both_hold.arrive();
    both_hold.wait_for(2);
    theirs.lock();
  };
  std::thread([=] { meet(first, second, tids[0]); }).detach();
  std::thread([=] { meet(second, first, tids[1]); }).detach();
  both_hold.wait_for(2);
  transparency::wait_until_blocked_on(tids[0], second);
  transparency::wait_until_blocked_on(tids[1], first);
  say("they are stuck");
}

[[noreturn]] void die_by(int number) {
  Bystander other;
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  other.start([] { pthread_mutex_lock(&mutex); });
  transparency::wait_until_blocked_on(other.tid(), mutex);
  std::atexit([] { say("never reached"); });
  kill(getpid(), number);
  for (;;) pause();
}

void by_sigterm() {
  die_by(SIGTERM);
}
void by_sigint() {
  die_by(SIGINT);
}
void by_sigusr1() {
  die_by(SIGUSR1);
}
void by_real_time_signal() {
  die_by(SIGRTMAX);
}

void by_abort() {
  Bystander other;
  const std::scoped_lock lock(lasting_mutex());
  std::abort();
}

void by_segmentation_fault() {
  Bystander other;
  other.run([] {
    const std::scoped_lock lock(lasting_mutex());
    void* nothing = mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *static_cast<int*>(nothing) = 1;
  });
}

constexpr transparency::Case kCases[] = {
    {"main-leaves-first", main_leaves_first},
    {"main-leaves-alone", main_leaves_alone},
    {"main-leaves-last", main_leaves_last},
    {"main-leaves-and-a-thread-exits", main_leaves_and_a_thread_exits},
    {"handlers-lock-and-make-threads", handlers_lock_and_make_threads},
    {"handlers-lock-after-main", handlers_lock_after_main},
    {"returns-among-busy-threads", returns_among_busy_threads},
    {"exit-while-others-block", exit_while_others_block},
    {"quickly", quickly},
    {"at-once", at_once},
    {"key-destructors", key_destructors},
    {"thread-local-destructors", thread_local_destructors},
    {"thread-local-destructors-without-main", thread_local_destructors_without_main},
    {"threads-leave-locks-behind", threads_leave_locks_behind},
    {"credentials", credentials},
    {"returns-despite-a-deadlock", returns_despite_a_deadlock},
    {"by-sigterm", by_sigterm},
    {"by-sigint", by_sigint},
    {"by-sigusr1", by_sigusr1},
    {"by-real-time-signal", by_real_time_signal},
    {"by-abort", by_abort},
    {"by-segmentation-fault", by_segmentation_fault},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
