#include "system/timers.h"

#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <ctime>
#include <string_view>

#include "system/call_filter.h"
#include "system/kernel_text.h"
#include "system/proc_files.h"

namespace impasse::system {
namespace {

struct IntervalTimer {
  int which;
  int signal;
};
constexpr IntervalTimer kIntervalTimers[] = {
    {ITIMER_REAL, SIGALRM}, {ITIMER_VIRTUAL, SIGVTALRM}, {ITIMER_PROF, SIGPROF}};

constexpr std::string_view kNumber = "ID: ";
constexpr int kMostSignals = 64;

constexpr std::uint64_t bit_of(int signal) {
  return std::uint64_t{1} << (signal - 1);
}

// libc keeps other numbers for some of them: these are the kernel's.
bool is_running(int timer) {
  itimerspec time{};
  if (syscall(SYS_timer_gettime, timer, &time) != 0) return false;
  return time.it_value.tv_sec != 0 || time.it_value.tv_nsec != 0;
}

// One timer's lines.
bool add_made(std::string_view lines, std::uint64_t& signals) {
  int timer = 0;
  int signal = 0;
  if (!leading_number(lines.substr(kNumber.size()), timer) ||
      !leading_number(field(lines, "signal:"), signal)) {
    return false;
  }
  if (field(lines, "notify:").starts_with("none")) return true;
  if (signal < 1 || signal > kMostSignals) return false;
  if (is_running(timer)) signals |= bit_of(signal);
  return true;
}

bool add_all_made(std::uint64_t& signals) {
  std::array<char, std::size_t{32} << 10> text;
  std::size_t size = 0;
  if (ProcFiles{}.read("timers", text.data(), text.size(), size) != 0) return false;
  if (size == text.size()) return false;  // there may be more
  std::string_view list(text.data(), size);
  if (list.empty()) return true;
  if (!list.starts_with(kNumber) || !survives(SYS_timer_gettime, ~0UL, 0, 0)) return false;
  while (!list.empty()) {
    const std::size_t next = list.find("\nID: ");
    if (!add_made(list.substr(0, next), signals)) return false;
    list.remove_prefix(next == list.npos ? list.size() : next + 1);
  }
  return true;
}

}  // namespace

bool signals_of_running_timers(std::uint64_t& signals) {
  signals = 0;
  if (!survives(SYS_getitimer, ITIMER_REAL, 0, 0)) return false;
  for (const IntervalTimer& one : kIntervalTimers) {
    itimerval time{};
    if (getitimer(static_cast<__itimer_which>(one.which), &time) != 0) return false;
    if (time.it_value.tv_sec != 0 || time.it_value.tv_usec != 0) signals |= bit_of(one.signal);
  }
  return add_all_made(signals);
}

}  // namespace impasse::system
