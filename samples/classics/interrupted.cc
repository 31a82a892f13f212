#include <dlfcn.h>

#include <chrono>
#include <csignal>
#include <mutex>

#include "classics/classics.h"

namespace classics {

pthread_mutex_t table_mutex = PTHREAD_MUTEX_INITIALIZER;
int updates = 0;
std::atomic<int> handled{0};

[[gnu::noinline]] void logEvent() {
  pthread_mutex_lock(&table_mutex);
  ++updates;
  pthread_mutex_unlock(&table_mutex);
}

void handle_by_locking(int) {
  logEvent();
  ++handled;
}

void handle_by_counting(int) {
  ++handled;
}

// Works until the signal has been handled, which interrupts it.
[[gnu::noinline]] void updateTable(std::atomic<bool>& holds) {
  pthread_mutex_lock(&table_mutex);
  holds = true;
  while (handled == 0) ++updates;
  pthread_mutex_unlock(&table_mutex);
}

int signal_relock(const samples::Arguments& arguments, bool repaired) {
  struct sigaction action {};
  action.sa_handler = repaired ? handle_by_counting : handle_by_locking;
  sigaction(SIGUSR1, &action, nullptr);
  std::atomic<bool> holds{false};
  samples::Actor worker("worker", [&] { updateTable(holds); });
  while (!holds) std::this_thread::yield();
  pthread_kill(worker.handle(), SIGUSR1);
  if (!repaired) {
    samples::stay_stuck_when(arguments, [&] { return worker.is_blocked_on(table_mutex); },
                             {&worker});
  }
  worker.join();
  return handled == 1 ? 0 : 1;
}

// ---- a handler that has a lock while the code that it interrupted waits for another: it looks
// like a circle, and the handler gives its lock back

std::mutex queue_mutex;
std::mutex journal_mutex;
std::atomic<bool> handler_has_log{false};
std::atomic<bool> may_return{false};
std::atomic<int> entries{0};

[[gnu::noinline]] void logFromHandler() {
  std::lock_guard log(journal_mutex);
  handler_has_log = true;
  while (!may_return) ++entries;
}

void handle_with_log(int) {
  logFromHandler();
}

[[gnu::noinline]] void drainQueue() {
  std::lock_guard queue(queue_mutex);
  ++entries;
}

[[gnu::noinline]] void logQueue() {
  std::lock_guard log(journal_mutex);
  ++entries;
}

// The handler runs for as long as a circle would need to be told many times over.
int handler_on_wait(const samples::Arguments&, bool) {
  struct sigaction action {};
  action.sa_handler = handle_with_log;
  sigaction(SIGUSR1, &action, nullptr);
  std::atomic<bool> let_go{false};
  samples::Actor holder("holder", [&] {
    std::lock_guard queue(queue_mutex);
    while (!let_go) std::this_thread::yield();
    logQueue();
  });
  while (queue_mutex.try_lock()) {
    queue_mutex.unlock();
    std::this_thread::yield();
  }
  samples::Actor drain("drain", drainQueue);
  // At once: the handler's lock is then taken at the same time as the wait began.
  if (!samples::wait_until([&] { return drain.is_blocked_on(queue_mutex); })) return 1;
  pthread_kill(drain.handle(), SIGUSR1);
  while (!handler_has_log) std::this_thread::yield();
  let_go = true;
  if (!samples::wait_until([&] { return holder.is_blocked_on(journal_mutex); })) return 1;
  std::this_thread::sleep_for(std::chrono::milliseconds(1000));
  may_return = true;
  holder.join();
  drain.join();
  return 0;
}

// ---- a lock that impasse has not seen being taken: only libc's own word tells who has it

pthread_mutex_t settings_lock = PTHREAD_MUTEX_INITIALIZER;
int settings_read = 0;

// As code does that was linked with libc's function before anybody else's was there.
[[gnu::noinline]] void takeUnseen(pthread_mutex_t* mutex) {
  void* const libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
  using Lock = int (*)(pthread_mutex_t*);
  const auto lock = reinterpret_cast<Lock>(dlsym(libc, "pthread_mutex_lock"));
  if (lock == nullptr || lock(mutex) != 0) samples::not_as_claimed("no function of libc's own");
}

[[gnu::noinline]] void readSettings() {
  pthread_mutex_lock(&settings_lock);
  ++settings_read;
  pthread_mutex_unlock(&settings_lock);
}

int unseen_relock(const samples::Arguments& arguments, bool repaired) {
  samples::Actor reader("reader", [repaired] {
    takeUnseen(&settings_lock);
    if (repaired) pthread_mutex_unlock(&settings_lock);
    readSettings();
  });
  if (!repaired) {
    samples::stay_stuck_when(arguments, [&] { return reader.is_blocked_on(settings_lock); },
                             {&reader});
  }
  reader.join();
  return settings_read == 1 ? 0 : 1;
}

}  // namespace classics
