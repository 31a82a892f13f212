#include "preload/watchdog_thread.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <ctime>

#include "detector/stats_block.h"
#include "detector/watchdog.h"
#include "interpose/current.h"
#include "interpose/ledger_file.h"
#include "interpose/real.h"
#include "interpose/session.h"
#include "preload/aftermath.h"
#include "preload/dump_signal.h"
#include "preload/kept_options.h"
#include "preload/lock_probe.h"
#include "preload/process_view.h"
#include "preload/resident.h"
#include "preload/stats_keeper.h"
#include "symbolize/arena.h"
#include "symbolize/crash_guard.h"
#include "witness/left_ledgers.h"
#include "witness/order_watch.h"
#include "witness/side_thread.h"
#include "witness/witness.h"

namespace impasse {
namespace {

constexpr unsigned kCloseRangeUnshare = 2;

// What the watchdog is called for; a futex that it sleeps on.
namespace call {
constexpr std::uint32_t kNone = 0;
constexpr std::uint32_t kDismissed = 1;
constexpr std::uint32_t kLastWords = 2;
constexpr std::uint32_t kOrders = 3;      // much is to be heard of the lock order
constexpr std::uint32_t kLastOrders = 4;  // ... all of it, now: the process is about to end
}  // namespace call

// Constant-initialized, and never torn down: other threads run on during exit.
constinit std::atomic<std::uint32_t> called{call::kNone};
// A report is being made, its names are looked up, or a program is about to be run after it.
constinit std::atomic<bool> busy{false};
constinit std::atomic<std::uint32_t> ending_status{0};  // 0: the process is not about to end
constinit witness::SideThread side;
constinit std::atomic<witness::Walkers*> walkers{nullptr};
constinit std::atomic<std::uint32_t> loaded{0};
constinit witness::Outcome outcome;
// A forked child of a process that watched: its parent complains and sums up.
constinit bool quiet = false;
struct OwnThread {
  pthread_t handle{};
  std::atomic<bool> running{false};
};
constinit OwnThread watchdog_thread;
constinit OwnThread side_thread;

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

void sleep_or_be_called(std::uint64_t ns) {
  const timespec span{static_cast<time_t>(ns / 1'000'000'000),
                      static_cast<long>(ns % 1'000'000'000)};
  syscall(SYS_futex, &called, FUTEX_WAIT_PRIVATE, call::kNone, &span, nullptr, 0);
}

// A table of descriptors of its own, empty: what it opens must not take a number that the program
// counts on, and what the program closes must be closed. Before Linux 5.9 it shares the program's.
void become_own(const char* name) {
  detach_current();
  prctl(PR_SET_NAME, name);
  syscall(SYS_close_range, 0U, ~0U, kCloseRangeUnshare);
}

witness::Settings settings() {
  witness::Settings settings = settings_of_options();
  settings.quiet = quiet;
  settings.outcome = &outcome;
  return settings;
}

// A thread that hangs for ever may have one of the program's files locked.
void end_process_at_last(std::uint64_t now_ns, std::uint64_t& since_ns) {
  constexpr std::uint64_t kPatienceNs = 3'000'000'000;
  const std::uint32_t status = ending_status.load(std::memory_order_acquire);
  if (status == 0) return;
  if (since_ns == 0) since_ns = now_ns;
  if (now_ns - since_ns > kPatienceNs) real::call(real::_exit)(static_cast<int>(status));
}

// What `impasse dump` asks for through the ledger's file: the answer stands beside it. True: there
// was a request.
bool answer_requests(Ledger& ledger, witness::Witness& witness, const witness::OrderWatch* orders) {
  LedgerHeader& header = ledger.header();
  const std::uint64_t request = header.request.load(std::memory_order_acquire);
  const std::uint64_t number = request >> 8;
  if (number == 0 || header.answered.load(std::memory_order_relaxed) >> 8 == number) {
    return false;
  }
  const char* const ledger_path = ledger_file();
  const std::string file = ledger_path != nullptr ? std::string(ledger_path) + ".dump" : "";
  bool written = false;
  const bool withdrawn = (request & request_flag::kWithdrawn) != 0;
  const bool of_orders = (request & request_flag::kOrders) != 0;
  if (!file.empty() && !withdrawn && (!of_orders || orders != nullptr)) {
    const std::string json = of_orders
                                 ? witness.orders_json(*orders)
                                 : witness.dump_json((request & request_flag::kRunningStacks) != 0);
    written = !json.empty() && witness::write_file(file, json, true) == 0;
  }
  // Who gives up writes `request` and then reads `answered`: one of us sees what the other wrote.
  header.answered.store(number << 8 | (written ? 1 : 0), std::memory_order_seq_cst);
  if (written && header.request.load(std::memory_order_seq_cst) != request) unlink(file.c_str());
  return true;
}

void turn_to_orders(witness::OrderWatch* orders, witness::Witness& witness, bool last) {
  if (orders == nullptr) return;
  for (const OrderCircle& circle : last ? orders->last_turn() : orders->turn(monotonic_ns())) {
    witness.tell(circle, *orders);
  }
}

// This turn answers it.
void answer_order_call() {
  std::uint32_t calling = call::kOrders;
  called.compare_exchange_strong(calling, call::kNone, std::memory_order_acq_rel);
}

// After the turn: the caller waits for that.
void answer_last_order_call() {
  std::uint32_t calling = call::kLastOrders;
  called.compare_exchange_strong(calling, call::kNone, std::memory_order_acq_rel);
}

void answer_last_call(witness::Witness& witness, StatsKeeper& stats) {
  if (called.load(std::memory_order_acquire) != call::kLastWords) return;
  witness.say_last_words();
  stats.say_last_words();
  std::uint32_t answered = call::kLastWords;
  called.compare_exchange_strong(answered, call::kNone, std::memory_order_acq_rel);
}

void* run_side(void*) {
  become_own("impasse/names");
  const symbolize::OwnArena arena;
  auto* const mine = new witness::Walkers;
  walkers.store(mine, std::memory_order_release);
  // May hang for ever, when another thread has the loader's lock: then stacks are not walked.
  mine->unwinder.load();
  loaded.store(1, std::memory_order_release);
  syscall(SYS_futex, &loaded, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
  witness::remove_old_ledgers(ledger_file());
  side.work();
  return nullptr;
}

// The first thread of a program is often the one that loads a plug-in, and gets stuck in it. Two
// milliseconds at most, once, when the program makes its first thread.
void wait_for_loading() {
  const timespec patience{0, 2'000'000};
  if (loaded.load(std::memory_order_acquire) != 0) return;
  syscall(SYS_futex, &loaded, FUTEX_WAIT_PRIVATE, 0, &patience, nullptr, 0);
}

// Not by the futex of calls: one that comes meanwhile would end the waiting.
witness::Walkers& walkers_of_side_thread() {
  for (unsigned ms = 0; ms < 1'000; ++ms) {
    if (witness::Walkers* const made = walkers.load(std::memory_order_acquire)) return *made;
    const timespec step{0, 1'000'000};
    nanosleep(&step, nullptr);
  }
  return *new witness::Walkers;  // there is no side thread
}

// The program's last thread has ended, and waits for us a little longer than this.
void finish(witness::Witness& witness, witness::OrderWatch* orders, Aftermath& aftermath,
            StatsKeeper& stats) {
  constexpr unsigned kPatienceMs = 1'500;
  turn_to_orders(orders, witness, true);
  for (unsigned ms = 0; ms < kPatienceMs; ++ms) {
    witness.tend(monotonic_ns());
    aftermath.act(witness, monotonic_ns());
    if (!witness.naming() && !aftermath.busy()) break;
    const timespec step{0, 1'000'000};
    nanosleep(&step, nullptr);
  }
  witness.say_last_words();
  stats.say_last_words();
}

// Like the witness never torn down.
witness::OrderWatch* new_order_watch(Ledger& ledger, witness::Walkers& walking) {
  OrderOptions options;
  options.all = kept_options().order == OrderWish::kAll;
  options.classes = kept_options().order_classes;
  return new witness::OrderWatch(ledger, walking, options);
}

void* run_watchdog(void* argument) {
  become_own("impasse");
  const symbolize::OwnArena arena;
  Ledger& ledger = *static_cast<Ledger*>(argument);
  Aftermath aftermath(kept_options());
  if (const int error = ledger_trouble()) aftermath.without_ledger_file(error);
  // Never torn down: the side thread may still be at work for it when this thread ends.
  witness::Walkers& walking = walkers_of_side_thread();
  auto& witness = *new witness::Witness(ledger, probe_lock, settings(), walking, side, aftermath);
  const ProcessProbe probe{thread_alive, thread_name, probe_lock,
                           monotonic_ns, probe_sleep, process_view()};
  const Thresholds thresholds{kept_options().wait.ns, kept_options().conditions};
  Watchdog watchdog(ledger, probe, thresholds, &witness);
  witness::OrderWatch* const orders =
      kept_options().order == OrderWish::kOff ? nullptr : new_order_watch(ledger, walking);
  Resident resident;
  StatsKeeper stats(ledger, side, kept_options().stats);
  std::uint64_t intended = 0;
  std::uint64_t ending_since = 0;
  while (called.load(std::memory_order_acquire) != call::kDismissed) {
    busy.store(true, std::memory_order_release);
    answer_order_call();
    const bool last = called.load(std::memory_order_acquire) == call::kLastOrders;
    watchdog.turn(monotonic_ns(), intended);
    turn_to_orders(orders, witness, last);
    stats.turn(monotonic_ns());
    witness.tend(monotonic_ns());
    aftermath.act(witness, monotonic_ns());
    const bool answered = answer_requests(ledger, witness, orders);
    if (dump_was_asked_for()) witness.write_dump();
    const bool at_work = witness.naming() || aftermath.busy();
    busy.store(at_work, std::memory_order_release);
    if (last) answer_last_order_call();
    const bool hears = orders != nullptr && orders->at_work();
    resident.after_turn(at_work || answered || hears ||
                        loaded.load(std::memory_order_relaxed) == 0);
    end_process_at_last(monotonic_ns(), ending_since);
    answer_last_call(witness, stats);
    intended = watchdog.pause_ns();
    sleep_or_be_called(intended);
  }
  finish(witness, orders, aftermath, stats);
  busy.store(false, std::memory_order_release);
  return nullptr;
}

// The caller has every signal blocked that can be; the new thread inherits that. The two that libc
// keeps for itself stay open: setuid() in a threaded program waits for every thread to answer one.
bool start(OwnThread& thread, void* (*body)(void*), void* argument) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  // Should it outlive the program's last thread, it runs the program's exit handlers: room for
  // them. Stack that is not touched costs nothing.
  pthread_attr_setstacksize(&attributes, std::size_t{1} << 20);
  const bool made =
      real::call(real::pthread_create)(&thread.handle, &attributes, body, argument) == 0;
  pthread_attr_destroy(&attributes);
  thread.running.store(made, std::memory_order_release);
  return made;
}

// Gone before the program's last thread goes: that one then ends the process, as it would have
// without us. Bounded, in case it is stuck.
void join(OwnThread& thread) {
  if (!thread.running.exchange(false, std::memory_order_acq_rel)) return;
  timespec soon{};
  clock_gettime(CLOCK_MONOTONIC, &soon);
  soon.tv_sec += 2;
  real::call(real::pthread_clockjoin_np)(thread.handle, nullptr, CLOCK_MONOTONIC, &soon);
}

// It has its parent's memory.
bool in_vfork_child() {
  const Ledger* const here = ledger();
  return here != nullptr && here->header().pid != static_cast<std::uint32_t>(syscall(SYS_getpid));
}

bool something_counts() {
  return outcome.counting.load(std::memory_order_acquire) != 0 ||
         outcome.open.load(std::memory_order_acquire) != 0;
}

}  // namespace

void set_up_watchdog(const Options& options, Complaints& complaints) {
  if (!listen_for_dump_signal(options.dump_signal)) {
    complaints.add({"wrong value '", options.dump_signal.view(),
                    "' for option 'dump_signal'; expected QUIT, USR1, USR2, HUP, URG, PWR, WINCH, "
                    "IO or the number of one of them or of a real-time signal; using 'off'"});
  }
}

bool start_watchdog(Ledger& ledger) {
  const bool sided = start(side_thread, run_side, nullptr);
  const bool made = start(watchdog_thread, run_watchdog, &ledger);
  if (sided) wait_for_loading();
  return made;
}

void wake_watchdog() {
  std::uint32_t before = call::kNone;
  if (called.compare_exchange_strong(before, call::kOrders, std::memory_order_acq_rel)) {
    syscall(SYS_futex, &called, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  }
}

void dismiss_watchdog() {
  called.store(call::kDismissed, std::memory_order_release);
  syscall(SYS_futex, &called, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  join(watchdog_thread);
  side.dismiss();
  join(side_thread);
}

void forget_watchdog() {
  called.store(call::kNone, std::memory_order_relaxed);
  quiet = quiet || watchdog_thread.running.load(std::memory_order_relaxed);
  outcome.ready.store(false, std::memory_order_relaxed);
  outcome.counting.store(0, std::memory_order_relaxed);
  outcome.open.store(0, std::memory_order_relaxed);
  outcome.has_last_words.store(false, std::memory_order_relaxed);
  busy.store(false, std::memory_order_relaxed);
  ending_status.store(0, std::memory_order_relaxed);
  dump_was_asked_for();  // by a signal of the parent's
  watchdog_thread.running.store(false, std::memory_order_relaxed);
  side_thread.running.store(false, std::memory_order_relaxed);
  side.forget();
  symbolize::forget_guards();
  walkers.store(nullptr, std::memory_order_relaxed);
  loaded.store(0, std::memory_order_relaxed);
}

// What was told of the lock order a moment ago counts too.
void settle_orders() {
  constexpr std::uint64_t kPatienceNs = 1'000'000'000;
  const bool watched = ledger() != nullptr && !in_vfork_child() &&
                       kept_options().order != OrderWish::kOff &&
                       watchdog_thread.running.load(std::memory_order_acquire);
  if (!watched || ledger()->header().sights_used.load(std::memory_order_relaxed) == 0) return;
  std::uint32_t calling = call::kNone;
  while (!called.compare_exchange_weak(calling, call::kLastOrders, std::memory_order_acq_rel)) {
    if (calling != call::kNone && calling != call::kOrders) return;
  }
  syscall(SYS_futex, &called, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  const std::uint64_t start = monotonic_ns();
  while (called.load(std::memory_order_acquire) == call::kLastOrders &&
         monotonic_ns() - start < kPatienceNs) {
    const timespec step{0, 20'000};
    nanosleep(&step, nullptr);
  }
}

void settle_findings() {
  settle_orders();
  if (!busy.load(std::memory_order_acquire)) return;
  constexpr std::uint64_t kPatienceNs = 2'000'000'000;
  const std::uint64_t start = monotonic_ns();
  // The end may have met a turn of the watchdog in which nothing is found: microseconds.
  long pause_ns = 50'000;
  while (busy.load(std::memory_order_acquire) && monotonic_ns() - start < kPatienceNs) {
    const timespec step{0, pause_ns};
    nanosleep(&step, nullptr);
    pause_ns = std::min(2 * pause_ns, 5'000'000L);
  }
}

// To be shown at the end.
bool has_numbers() {
  const Ledger* const here = ledger();
  return kept_options().stats && here != nullptr && anything_counted(*here);
}

// It takes a turn of the watchdog and a few lines; a standard error that takes none is given up
// sooner. With rules there is something to say even when the watchdog has only begun to read them.
void say_last_words() {
  constexpr std::uint64_t kPatienceNs = 3'000'000'000;
  if (!watchdog_thread.running.load(std::memory_order_acquire) || in_vfork_child()) return;
  const std::uint64_t start = monotonic_ns();
  const auto wait_while = [start](auto condition) {
    const timespec step{0, 100'000};
    while (condition() && monotonic_ns() - start < kPatienceNs) nanosleep(&step, nullptr);
  };
  if (!kept_options().suppressions.is("off")) {
    wait_while([] { return !outcome.ready.load(std::memory_order_acquire); });
  }
  if (!outcome.has_last_words.load(std::memory_order_acquire) && !something_counts() &&
      !has_numbers()) {
    return;
  }
  wait_while([] {
    std::uint32_t before = call::kNone;
    const bool said =
        called.compare_exchange_strong(before, call::kLastWords, std::memory_order_acq_rel);
    return !said && (before == call::kOrders || before == call::kLastOrders);
  });
  syscall(SYS_futex, &called, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
  wait_while([] { return called.load(std::memory_order_acquire) == call::kLastWords; });
}

int exit_status_of_findings() {
  const bool found = !in_vfork_child() && something_counts();
  return found ? static_cast<int>(kept_options().exit_code) : 0;
}

void end_process(int status) {
  ending_status.store(static_cast<std::uint32_t>(status), std::memory_order_release);
  std::fflush(nullptr);
  real::call(real::_exit)(status);
  __builtin_unreachable();
}

}  // namespace impasse
