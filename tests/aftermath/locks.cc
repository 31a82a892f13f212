#include <pthread.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "actor.h"
#include "blocked_thread.h"

std::mutex journal_mutex;

namespace actor {
namespace {

std::mutex first_mutex;
std::mutex second_mutex;
std::atomic<int> holding{0};
std::array<std::atomic<pid_t>, 2> stuck_tids;

void hold_and_want(std::mutex& held, std::mutex& wanted, std::atomic<pid_t>& tid) {
  const std::lock_guard mine(held);
  ++holding;
  while (holding < 2) std::this_thread::yield();
  tid = gettid();
  const std::lock_guard other(wanted);
}

template <int kPlace>
[[gnu::noinline]] void unlock_what_another_holds() {
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  std::thread([] { pthread_mutex_unlock(&mutex); }).join();
}

[[gnu::noinline]] void write_journal(const char* path) {
  const std::lock_guard hold(journal_mutex);
  await_file(path);
}

[[gnu::noinline]] void close_journal() {
  const std::lock_guard hold(journal_mutex);
  usleep(30'000);
}

void lock_often(std::mutex& mutex, const std::atomic<bool>& over) {
  while (!over) {
    const std::lock_guard hold(mutex);
    std::this_thread::yield();
  }
}

int status_of(pid_t child) {
  int status = 0;
  if (waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

void expect(pid_t child, int wanted) {
  const int status = status_of(child);
  if (status == wanted) return;
  std::printf("child: %d instead of %d\n", status, wanted);
  std::fflush(stdout);
}

}  // namespace

void deadlock(const char*) {
  std::thread([] { hold_and_want(first_mutex, second_mutex, stuck_tids[0]); }).detach();
  std::thread([] { hold_and_want(second_mutex, first_mutex, stuck_tids[1]); }).detach();
  samples::wait_until([] {
    return stuck_tids[0] != 0 && stuck_tids[1] != 0 &&
           samples::is_blocked_on(stuck_tids[0], &second_mutex, sizeof second_mutex) &&
           samples::is_blocked_on(stuck_tids[1], &first_mutex, sizeof first_mutex);
  });
}

void misuse(const char* place) {
  constexpr std::array kPlaces = {unlock_what_another_holds<0>, unlock_what_another_holds<1>,
                                  unlock_what_another_holds<2>, unlock_what_another_holds<3>};
  kPlaces.at(static_cast<std::size_t>(std::atoi(place)))();
}

void be_busy(const char* seconds) {
  static std::atomic<bool> over{false};
  static std::mutex mutex;
  std::array<std::thread, 4> threads;
  for (std::thread& one : threads) one = std::thread([] { lock_often(mutex, over); });
  std::this_thread::sleep_for(std::chrono::seconds(std::atoi(seconds)));
  over = true;
  for (std::thread& one : threads) one.join();
}

void keep_journal(const char* path) {
  std::thread writer([path] { write_journal(path); });
  samples::wait_until([] {
    if (!journal_mutex.try_lock()) return true;
    journal_mutex.unlock();
    return false;
  });
  std::thread([] { const std::lock_guard hold(journal_mutex); }).join();
  writer.join();
  close_journal();
}

void lock_stdout(const char*) {
  static std::atomic<bool> locked{false};
  std::thread([] {
    flockfile(stdout);
    locked = true;
    for (;;) pause();
  }).detach();
  while (!locked) std::this_thread::yield();
}

void end_main_thread(const char*) {
  pthread_exit(nullptr);
}

void end_last_thread(const char*) {
  pthread_exit(nullptr);
}

void fork_one(const char* status) {
  const int wanted = std::atoi(status);
  const pid_t child = fork();
  if (child == 0) {
    std::mutex mutex;
    std::array<std::thread, 3> threads;
    for (std::thread& one : threads) {
      one = std::thread([&] { const std::lock_guard hold(mutex); });
    }
    for (std::thread& one : threads) one.join();
    std::exit(wanted);
  }
  expect(child, wanted);
}

void nest_in_fibre(const char*) {
  static std::shared_mutex outer;  // of a held one the order's note asks whether writers come first
  static std::mutex inner;
  static ucontext_t back;
  static ucontext_t fibre;
  std::thread([] {}).join();
  std::vector<char> stack(std::size_t{64} << 10);
  getcontext(&fibre);
  fibre.uc_stack.ss_sp = stack.data();
  fibre.uc_stack.ss_size = stack.size();
  fibre.uc_link = &back;
  makecontext(
      &fibre,
      [] {
        const std::shared_lock first(outer);
        const std::lock_guard second(inner);
      },
      0);
  swapcontext(&back, &fibre);
}

void fork_holding(const char* status) {
  std::mutex own;
  std::mutex others;
  std::shared_mutex read;
  std::atomic<bool> held{false};
  std::atomic<bool> over{false};
  std::thread other([&] {
    const std::lock_guard hold(others);
    const std::shared_lock hold_too(read);
    held = true;
    while (!over) std::this_thread::yield();
  });
  while (!held) std::this_thread::yield();
  {
    const std::lock_guard hold(own);
    const std::shared_lock hold_too(read);
    fork_one(status);
  }
  over = true;
  other.join();
}

void fork_stuck(const char*) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    deadlock(nullptr);
    for (;;) pause();
  }
  std::printf("child: %d\n", child);
  std::fflush(stdout);
}

void vfork_one(const char* status) {
  const int wanted = std::atoi(status);
  const pid_t child = vfork();
  if (child == 0) _exit(wanted);
  expect(child, wanted);
}

}  // namespace actor
