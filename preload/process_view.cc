#include "preload/process_view.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <string_view>

#include "interpose/session.h"
#include "system/kernel_text.h"
#include "system/tasks.h"
#include "system/timers.h"

// The linker's names for the beginning and the end of this object.
extern "C" const char __ehdr_start __attribute__((visibility("hidden")));
extern "C" const char _end __attribute__((visibility("hidden")));

namespace impasse {
namespace {

constexpr std::size_t kMostTasks = 65'536;
constexpr std::string_view kSideThread = "impasse/names\n";
// Those that libc catches itself: cancellation, and setuid() in all threads.
constexpr int kFirstOfLibc = 32;
constexpr int kLastOfLibc = 33;
constexpr int kLastSignal = 64;

std::uint32_t own_tid() {
  return static_cast<std::uint32_t>(syscall(SYS_gettid));
}

// Every thread of the program has a slot, so a thread of the side thread's name that has none is
// that one.
bool is_ours(std::uint32_t tid) {
  if (tid == own_tid()) return true;
  std::array<char, 32> name;
  std::size_t size = 0;
  return system::ProcFiles{}.read(tid, "comm", name.data(), name.size(), size) == 0 &&
         std::string_view(name.data(), size) == kSideThread;
}

// Also a first thread that has ended while the others go on.
bool is_dead(std::uint32_t tid) {
  return system::look_at_task(system::ProcFiles{}, tid).call.form == system::CallForm::kGone;
}

bool tasks(std::vector<std::uint32_t>& tids) {
  std::vector<std::uint32_t> all;
  bool more = false;
  if (system::ProcFiles{}.tasks(all, kMostTasks, more) != 0 || more) return false;
  const Ledger* const known = ledger();
  tids.clear();
  for (const std::uint32_t tid : all) {
    const bool has_slot = known != nullptr && known->find_tid(tid) != nullptr;
    if (has_slot || (!is_ours(tid) && !is_dead(tid))) tids.push_back(tid);
  }
  return true;
}

// Of these the program can only die, or say why it does.
bool is_of_errors(int signal) {
  switch (signal) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGABRT:
    case SIGSYS:
      return true;
    default:
      return false;
  }
}

bool is_answered_by_us(int signal) {
  struct sigaction present {};
  if (sigaction(signal, nullptr, &present) != 0) return false;
  const auto handler = reinterpret_cast<std::uint64_t>(present.sa_handler);
  return handler >= reinterpret_cast<std::uint64_t>(&__ehdr_start) &&
         handler < reinterpret_cast<std::uint64_t>(&_end);
}

constexpr std::uint64_t bit_of(int signal) {
  return std::uint64_t{1} << (signal - 1);
}

// Those that run a handler of the program. What cannot be known counts as caught.
std::uint64_t caught_signals() {
  std::array<char, 8192> text;
  std::size_t size = 0;
  std::uint64_t caught = 0;
  const int error = system::ProcFiles{}.read(own_tid(), "status", text.data(), text.size(), size);
  if (error != 0 ||
      !system::parse_number(system::field({text.data(), size}, "SigCgt:"), 16, caught)) {
    return ~std::uint64_t{0};
  }
  for (int signal = 1; signal <= kLastSignal; ++signal) {
    if ((caught & bit_of(signal)) == 0) continue;
    const bool of_libc = signal >= kFirstOfLibc && signal <= kLastOfLibc;
    if (of_libc || is_of_errors(signal) || is_answered_by_us(signal)) caught &= ~bit_of(signal);
  }
  return caught;
}

bool catches_signals() {
  return caught_signals() != 0;
}

bool timer_calls_program() {
  const std::uint64_t run = caught_signals() | bit_of(system::kSignalOfTimerThreads);
  std::uint64_t due = 0;
  return !system::signals_of_running_timers(due) ? catches_signals() : (due & run) != 0;
}

}  // namespace

ProcessView process_view() {
  return {tasks, catches_signals, timer_calls_program};
}

}  // namespace impasse
