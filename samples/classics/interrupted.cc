#include <csignal>

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

}  // namespace classics
