#include "interpose/watchdog_thread.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <ctime>

#include "detector/watchdog.h"
#include "interpose/current.h"
#include "interpose/real.h"
#include "interpose/session.h"

namespace impasse {
namespace {

constexpr unsigned kCloseRangeUnshare = 2;

constinit std::atomic<std::uint32_t> dismissed{0};
constinit pthread_t thread{};
constinit std::atomic<bool> running{false};

bool thread_alive(std::uint32_t tid) {
  return syscall(SYS_tgkill, syscall(SYS_getpid), static_cast<pid_t>(tid), 0) == 0 ||
         errno != ESRCH;
}

bool thread_name(std::uint32_t tid, char (&text)[kNameBytes]) {
  char path[48];
  std::snprintf(path, sizeof path, "/proc/self/task/%u/comm", tid);
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return false;
  const ssize_t n = read(fd, text, kNameBytes - 1);
  close(fd);
  if (n <= 0) return false;
  text[text[n - 1] == '\n' ? n - 1 : n] = '\0';
  return true;
}

void sleep_or_be_dismissed(std::uint64_t ns) {
  const timespec span{static_cast<time_t>(ns / 1'000'000'000),
                      static_cast<long>(ns % 1'000'000'000)};
  syscall(SYS_futex, &dismissed, FUTEX_WAIT_PRIVATE, 0, &span, nullptr, 0);
}

void* run(void* argument) {
  detach_current();
  prctl(PR_SET_NAME, "impasse");
  // A table of descriptors of its own, empty: what it opens must not take a number that the program
  // counts on, and what the program closes must be closed. Before Linux 5.9 it shares the
  // program's.
  syscall(SYS_close_range, 0U, ~0U, kCloseRangeUnshare);
  Watchdog watchdog(*static_cast<Ledger*>(argument), {thread_alive, thread_name});
  std::uint64_t intended = 0;
  while (dismissed.load(std::memory_order_acquire) == 0) {
    watchdog.turn(monotonic_ns(), intended);
    intended = watchdog.pause_ns();
    sleep_or_be_dismissed(intended);
  }
  return nullptr;
}

}  // namespace

bool start_watchdog(Ledger& ledger) {
  // The caller has every signal blocked that can be; the new thread inherits that. The two that
  // libc keeps for itself stay open: setuid() in a threaded program waits for every thread to
  // answer one.
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  // Should it outlive the program's last thread, it runs the program's exit handlers: room for
  // them. Stack that is not touched costs nothing.
  pthread_attr_setstacksize(&attributes, std::size_t{1} << 20);
  const bool made = real::call(real::pthread_create)(&thread, &attributes, run, &ledger) == 0;
  pthread_attr_destroy(&attributes);
  running.store(made, std::memory_order_release);
  return made;
}

void dismiss_watchdog() {
  if (!running.exchange(false, std::memory_order_acq_rel)) return;
  dismissed.store(1, std::memory_order_release);
  syscall(SYS_futex, &dismissed, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  // Gone before the program's last thread goes: that one then ends the process, as it would have
  // without us. Bounded, in case the watchdog itself is stuck.
  timespec soon{};
  clock_gettime(CLOCK_MONOTONIC, &soon);
  soon.tv_sec += 2;
  real::call(real::pthread_clockjoin_np)(thread, nullptr, CLOCK_MONOTONIC, &soon);
}

void forget_watchdog() {
  dismissed.store(0, std::memory_order_relaxed);
  running.store(false, std::memory_order_relaxed);
}

}  // namespace impasse
