// Signal handlers that lock, nest, jump out, run on other stacks, interrupt locking and waiting
// threads at full speed. Not async-signal-safe by the letter, but what glibc's locks do bear as
// long as a handler keeps to its own locks.
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <deque>
#include <initializer_list>
#include <mutex>
#include <thread>
#include <vector>

#include "support/blocked.h"
#include "support/bystander.h"
#include "support/driver.h"
#include "support/observed.h"

namespace {

using transparency::error_name;
using transparency::require;
using transparency::say;

void handle(int signal, void (*handler)(int), int flags = SA_RESTART) {
  struct sigaction action {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigemptyset(&action.sa_mask);
  require(sigaction(signal, &action, nullptr) == 0, "a handler is installed");
}

// Interrupts the thread that made it, again and again, as long as this lives.
class Timer {
 public:
  Timer(int signal, long nanoseconds) {
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = signal;
    event._sigev_un._tid = gettid();
    require(timer_create(CLOCK_MONOTONIC, &event, &timer_) == 0, "a timer");
    const itimerspec period{.it_interval = {0, nanoseconds}, .it_value = {0, nanoseconds}};
    timer_settime(timer_, 0, &period, nullptr);
  }
  ~Timer() { timer_delete(timer_); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;

 private:
  timer_t timer_{};
};

constexpr long kPeriod = 120'000;  // nanoseconds
constexpr int kEnoughSignals = 5'000;
constexpr int kThreads = 3;

std::atomic<int> g_handled{0};

// The busy part: every thread nests its own and the common locks, and counts under them.
struct Work {
  std::mutex common;
  std::recursive_mutex recursive;
  pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
  long under_mutex = 0;
  long under_rwlock = 0;

  void once() {
    std::mutex own;
    const std::scoped_lock outer(own);
    const std::scoped_lock second(recursive);
    const std::scoped_lock again(recursive);
    {
      const std::scoped_lock inner(common);
      ++under_mutex;
    }
    pthread_rwlock_wrlock(&rwlock);
    ++under_rwlock;
    pthread_rwlock_unlock(&rwlock);
    pthread_rwlock_rdlock(&rwlock);
    pthread_rwlock_unlock(&rwlock);
  }

  // At least `least` rounds in each thread, and as many more as it takes to see enough signals.
  void in_threads(long least, std::initializer_list<int> signals) {
    std::atomic<long> rounds{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        std::deque<Timer> timers;
        for (const int signal : signals) timers.emplace_back(signal, kPeriod);
        long mine = 0;
        while (mine < least || g_handled.load() < kEnoughSignals) {
          once();
          ++mine;
        }
        rounds += mine;
      });
    }
    for (std::thread& thread : threads) thread.join();
    say("enough signals %d, mutex exact %d, rwlock exact %d", g_handled.load() >= kEnoughSignals,
        under_mutex == rounds, under_rwlock == rounds);
  }
};

constexpr int kHandlerLocks = 8;
pthread_mutex_t g_handler_locks[kHandlerLocks];
pthread_mutex_t g_handler_recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
pthread_rwlock_t g_handler_rwlock = PTHREAD_RWLOCK_INITIALIZER;
std::atomic<int> g_wrong{0};

// Nests as many of the handlers' locks as are to be had, and gives them back innermost first.
void lock_in_handler(int) {
  const int saved_errno = errno;
  int depth = 0;
  while (depth < kHandlerLocks && pthread_mutex_trylock(&g_handler_locks[depth]) == 0) ++depth;
  if (pthread_rwlock_tryrdlock(&g_handler_rwlock) == 0) pthread_rwlock_unlock(&g_handler_rwlock);
  while (depth > 0) g_wrong += pthread_mutex_unlock(&g_handler_locks[--depth]) != 0;
  ++g_handled;
  errno = saved_errno;
}

void lock_recursively_in_handler(int signal) {
  g_wrong += pthread_mutex_lock(&g_handler_recursive) != 0;
  g_wrong += pthread_mutex_lock(&g_handler_recursive) != 0;
  lock_in_handler(signal);
  g_wrong += pthread_mutex_unlock(&g_handler_recursive) != 0;
  g_wrong += pthread_mutex_unlock(&g_handler_recursive) != 0;
}

void tell_handlers() {
  say("wrong in handlers %d", g_wrong.load());
  for (pthread_mutex_t& mutex : g_handler_locks) {
    require(pthread_mutex_trylock(&mutex) == 0, "the handlers' locks are free");
  }
}

void trylock() {
  handle(SIGRTMIN + 2, lock_in_handler);
  Work work;
  work.in_threads(20'000, {SIGRTMIN + 2});
  tell_handlers();
}

void recursive() {
  handle(SIGRTMIN + 2, lock_recursively_in_handler);
  Work work;
  work.in_threads(20'000, {SIGRTMIN + 2});
  tell_handlers();
}

// Handlers interrupted by handlers, the same one included.
void handlers_in_handlers() {
  handle(SIGRTMIN + 2, lock_in_handler, SA_RESTART | SA_NODEFER);
  handle(SIGRTMIN + 3, lock_in_handler, SA_RESTART | SA_NODEFER);
  handle(SIGALRM, lock_in_handler, SA_RESTART | SA_NODEFER);
  const itimerval period{.it_interval = {0, 200}, .it_value = {0, 200}};
  Work work;
  setitimer(ITIMER_REAL, &period, nullptr);
  work.in_threads(20'000, {SIGRTMIN + 2, SIGRTMIN + 3});
  const itimerval never{};
  setitimer(ITIMER_REAL, &never, nullptr);
  tell_handlers();
}

constexpr int kDeep = 150;
pthread_mutex_t g_deep[kDeep];

void nest_deep_in_handler(int) {
  static std::atomic<bool> busy{false};
  if (busy.exchange(true)) return;
  for (pthread_mutex_t& mutex : g_deep) g_wrong += pthread_mutex_lock(&mutex) != 0;
  for (pthread_mutex_t& mutex : g_deep) g_wrong += pthread_mutex_unlock(&mutex) != 0;
  busy = false;
  ++g_handled;
}

void deep_nesting() {
  handle(SIGRTMIN + 2, nest_deep_in_handler);
  Work work;
  work.in_threads(10'000, {SIGRTMIN + 2});
  tell_handlers();
}

// A jump out of the handler leaves between two calls: every lock is in a known state.
thread_local sigjmp_buf g_jump;
thread_local volatile sig_atomic_t g_in_a_call = 0;
thread_local volatile sig_atomic_t g_may_jump = 0;

void jump_between_calls(int) {
  ++g_handled;
  if (g_may_jump && !g_in_a_call) siglongjmp(g_jump, 1);
}

int careful(int (*call)(pthread_mutex_t*), pthread_mutex_t* mutex) {
  g_in_a_call = 1;
  const int result = call(mutex);
  g_in_a_call = 0;
  return result;
}

void jump_out_between_calls() {
  handle(SIGRTMIN + 2, jump_between_calls);
  std::vector<std::thread> threads;
  for (int i = 0; i < 2; ++i) {
    threads.emplace_back([] {
      const Timer timer(SIGRTMIN + 2, kPeriod);
      pthread_mutex_t mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
      std::mutex outer;
      std::atomic<int> jumps{0};
      const std::scoped_lock held(outer);
      if (sigsetjmp(g_jump, 1) != 0) ++jumps;
      // Whatever the jump came out of: the error-checking mutex says whether it is still held.
      careful(pthread_mutex_unlock, &mutex);
      g_may_jump = 1;
      while (jumps < 200) {
        if (careful(pthread_mutex_lock, &mutex) != 0) ++g_wrong;
        if (careful(pthread_mutex_unlock, &mutex) != 0) ++g_wrong;
      }
      g_may_jump = 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  say("jumped out 200 times in each thread, wrong %d", g_wrong.load());
}

// The jump may come out of the middle of a lock call; such a mutex is never touched again.
void jump_anywhere(int) {
  ++g_handled;
  if (g_may_jump) siglongjmp(g_jump, 1);
}

constexpr int kSacrificed = 1'000;

void jump_out_of_calls() {
  handle(SIGRTMIN + 2, jump_anywhere);
  static pthread_mutex_t sacrificed[2][kSacrificed];
  std::vector<std::thread> threads;
  static std::mutex counted;
  static int sum = 0;
  for (auto& mutexes : sacrificed) {
    threads.emplace_back([&mutexes] {
      const Timer timer(SIGRTMIN + 2, kPeriod);
      std::atomic<int> jumps{0};
      if (sigsetjmp(g_jump, 1) != 0) {
        g_may_jump = 0;
        ++jumps;
        // Any lock but the sacrificed one works as ever.
        const std::scoped_lock lock(counted);
        ++sum;
      }
      if (jumps == kSacrificed) return;
      pthread_mutex_t* mutex = &mutexes[jumps];
      g_may_jump = 1;
      for (;;) {
        pthread_mutex_lock(mutex);
        pthread_mutex_unlock(mutex);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  say("jumps %d", sum);
}

// A handler on its own small stack; also the way out of a stack that is full.
constexpr size_t kAlternateStack = 16 * 1024;

void on_alternate_stack() {
  handle(SIGRTMIN + 2, lock_in_handler, SA_RESTART | SA_ONSTACK);
  std::vector<std::thread> threads;
  Work work;
  std::atomic<long> rounds{0};
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&] {
      alignas(16) char memory[kAlternateStack];
      const stack_t stack{.ss_sp = memory, .ss_flags = 0, .ss_size = sizeof memory};
      require(sigaltstack(&stack, nullptr) == 0, "a stack for handlers");
      {
        const Timer timer(SIGRTMIN + 2, kPeriod);
        while (g_handled < kEnoughSignals) {
          work.once();
          ++rounds;
        }
      }
      const stack_t none{.ss_sp = nullptr, .ss_flags = SS_DISABLE, .ss_size = 0};
      sigaltstack(&none, nullptr);
    });
  }
  for (std::thread& thread : threads) thread.join();
  say("mutex exact %d, rwlock exact %d, wrong %d", work.under_mutex == rounds,
      work.under_rwlock == rounds, g_wrong.load());
}

void jump_from_fault(int) {
  lock_in_handler(0);
  siglongjmp(g_jump, 1);
}

void out_of_a_fault_while_holding() {
  handle(SIGSEGV, jump_from_fault, SA_ONSTACK);
  alignas(16) static char memory[kAlternateStack];
  const stack_t stack{.ss_sp = memory, .ss_flags = 0, .ss_size = sizeof memory};
  sigaltstack(&stack, nullptr);
  auto* forbidden = static_cast<volatile int*>(
      mmap(nullptr, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  pthread_mutex_t mutex = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
  std::atomic<int> faults{0};
  if (sigsetjmp(g_jump, 1) != 0) {
    ++faults;
    require(pthread_mutex_unlock(&mutex) == 0, "still held after the jump");
  }
  if (faults < 100) {
    pthread_mutex_lock(&mutex);
    *forbidden = 1;
  }
  say("faults %d", faults.load());
  tell_handlers();
}

// Signals reach threads that are blocked in each kind of wait; none of the waits may end by it.
void while_blocked() {
  handle(SIGUSR1, lock_in_handler, 0);
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
  pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
  pthread_mutex_t cond_mutex = PTHREAD_MUTEX_INITIALIZER;
  bool ready = false;
  int results[3]{-1, -1, -1};
  pthread_mutex_lock(&mutex);
  pthread_rwlock_wrlock(&rwlock);
  transparency::Bystander waiters[3];
  waiters[0].start([&] { results[0] = pthread_mutex_lock(&mutex); });
  waiters[1].start([&] { results[1] = pthread_rwlock_rdlock(&rwlock); });
  waiters[2].start([&] {
    pthread_mutex_lock(&cond_mutex);
    while (!ready) results[2] = pthread_cond_wait(&cond, &cond_mutex);
    pthread_mutex_unlock(&cond_mutex);
  });
  const std::pair<const volatile void*, size_t> objects[] = {
      {&mutex, sizeof mutex}, {&rwlock, sizeof rwlock}, {&cond, sizeof cond}};
  for (int i = 0; i < 3; ++i) {
    for (int round = 0; round < 20; ++round) {
      const int before = g_handled;
      transparency::wait_until_blocked_on(waiters[i].tid(), objects[i].first, objects[i].second);
      require(tgkill(getpid(), waiters[i].tid(), SIGUSR1) == 0, "a signal is sent");
      while (g_handled == before) std::this_thread::yield();
    }
    transparency::wait_until_blocked_on(waiters[i].tid(), objects[i].first, objects[i].second);
  }
  pthread_mutex_unlock(&mutex);
  pthread_rwlock_unlock(&rwlock);
  pthread_mutex_lock(&cond_mutex);
  ready = true;
  pthread_cond_signal(&cond);
  pthread_mutex_unlock(&cond_mutex);
  for (auto& waiter : waiters) waiter.finish();
  say("handled %d, mutex %s, rwlock %s, cond %s", g_handled.load(), error_name(results[0]),
      error_name(results[1]), error_name(results[2]));
  waiters[0].run([&] { pthread_mutex_unlock(&mutex); });
  waiters[1].run([&] { pthread_rwlock_unlock(&rwlock); });
  tell_handlers();
}

// glibc makes these threads by itself, without the program's pthread_create.
void timer_threads() {
  static std::mutex mutex;
  static std::atomic<int> calls{0};
  static int sum = 0;
  sigevent event{};
  event.sigev_notify = SIGEV_THREAD;
  event.sigev_notify_function = [](sigval) {
    const std::scoped_lock lock(mutex);
    ++sum;
    ++calls;
    calls.notify_all();
  };
  timer_t timer{};
  require(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0, "a timer");
  const itimerspec period{.it_interval = {0, 500'000}, .it_value = {0, 500'000}};
  timer_settime(timer, 0, &period, nullptr);
  for (int now = calls; now < 50; now = calls) {
    calls.wait(now);
    const std::scoped_lock lock(mutex);
  }
  timer_delete(timer);
  const std::scoped_lock lock(mutex);
  say("at least 50 calls %d, none lost %d", sum >= 50, sum == calls);
}

constexpr transparency::Case kCases[] = {
    {"trylock", trylock},
    {"recursive", recursive},
    {"handlers-in-handlers", handlers_in_handlers},
    {"deep-nesting", deep_nesting},
    {"jump-out-between-calls", jump_out_between_calls},
    {"jump-out-of-calls", jump_out_of_calls},
    {"on-alternate-stack", on_alternate_stack},
    {"out-of-a-fault-while-holding", out_of_a_fault_while_holding},
    {"while-blocked", while_blocked},
    {"timer-threads", timer_threads},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
