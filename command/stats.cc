#include "command/stats.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "command/asked_process.h"
#include "command/help.h"
#include "command/ledger_places.h"
#include "command/name_offline.h"
#include "command/output.h"
#include "command/process_view.h"
#include "detector/clock.h"
#include "detector/stats_reader.h"
#include "report/stats_text.h"

namespace impasse::command {
namespace {

using Presence = ProcessView::Presence;

constexpr std::string_view kFlags[] = {"--json", "--by", "--top", "--debug-dir", "--help"};

struct Wish {
  bool json = false;
  report::StatsOrder order = report::StatsOrder::kWait;
  std::size_t top = 20;
  std::vector<std::string> debug_dirs;
  std::optional<std::string_view> what;
};

std::uint64_t monotonic_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// Of this machine, now: for a ledger whose watchdog had no time to tell.
double measured_cycles_per_ns() {
  const std::uint64_t first_ns = monotonic_ns();
  const std::uint64_t first = cycles_now();
  const timespec step{0, 20'000'000};
  nanosleep(&step, nullptr);
  const auto ns = static_cast<double>(monotonic_ns() - first_ns);
  return static_cast<double>(cycles_now() - first) / ns;
}

int print_stats(LedgerFile& file, const LedgerReading& reading, const ProcessView* live,
                const Wish& wish) {
  StatsReading read = read_stats(file, reading);
  if (!read.problem.empty()) return fail(file.path() + ": " + read.problem);
  if (!read.collected) {
    return fail(file.path() + " has no numbers: the process was not started with stats=on");
  }
  if (read.cycles_per_ns <= 0) read.cycles_per_ns = measured_cycles_per_ns();
  const std::string root = live != nullptr && has_other_mounts(live->pid)
                               ? "/proc/" + std::to_string(live->pid) + "/root"
                               : "";
  const auto modules = modules_on_disk(live != nullptr ? live->maps : read.maps, root);
  report::StatsReport stats = report::stats_report(read, modules, wish.order);
  report::keep_top(stats, wish.top);
  std::erase_if(stats.names.modules, [](const report::Module& module) { return module.deleted; });
  const Snapshot& snapshot = reading.snapshot;
  stats.names.process.pid = snapshot.pid;
  stats.names.process.program = snapshot.program;
  stats.names.process.version = IMPASSE_VERSION;
  stats.alive = live != nullptr;
  const std::uint64_t until = stats.alive ? monotonic_ns() : snapshot.now_ns;
  stats.watched_ns = until > snapshot.started_ns ? until - snapshot.started_ns : 0;
  name_offline(stats.names, wish.debug_dirs, root);
  return print(wish.json ? report::stats_json(stats) : report::stats_text(stats));
}

int stats_of_live(const ProcessView& process, const Wish& wish) {
  const Mapped mapped = mapped_in(process);
  if (!mapped.library) {
    return fail(named(process) +
                " does not run under impasse: libimpasse.so is not loaded in it; start it with: "
                "impasse run --stats=on -- PROGRAM");
  }
  if (mapped.ledger_path.empty()) {
    return fail(named(process) +
                " has no ledger that others can see: it was not started with stats=on, or with "
                "ledger=off, or there was no room");
  }
  LedgerFile file = open_mapped(process, mapped);
  if (!file) return fail(file.problem());
  const LedgerReading reading = read_ledger(file, {.locks = false});
  if (!reading.problem.empty()) return fail(file.path() + ": " + reading.problem);
  if (reading.snapshot.pid != static_cast<std::uint32_t>(process.inner_pid)) {
    return fail(file.path() + " is the ledger of another process (" +
                std::to_string(reading.snapshot.pid) + ")");
  }
  return print_stats(file, reading, &process, wish);
}

int stats_of_file(const std::string& path, const Wish& wish) {
  LedgerFile file(path);
  if (!file) return fail(file.problem());
  const LedgerReading reading = read_ledger(file, {.locks = false});
  if (!reading.problem.empty()) return fail(file.path() + ": " + reading.problem);
  // It may be that of a live process.
  const ProcessView process = view_process(static_cast<pid_t>(reading.snapshot.pid));
  const bool live =
      process.presence == Presence::kLive && mapped_in(process).ledger_inode == file.inode();
  return print_stats(file, reading, live ? &process : nullptr, wish);
}

int stats_of_process(std::string_view number, const Wish& wish) {
  const AskedProcess asked = asked_process(number);
  if (!asked.problem.empty()) return fail(asked.problem);
  if (asked.process.presence == Presence::kLive) return stats_of_live(asked.process, wish);
  const pid_t pid = asked.process.pid;
  const std::vector<std::string> left = left_behind(ledger_directory(), pid);
  if (!left.empty()) return stats_of_file(left.front(), wish);
  return fail("there is no process " + std::to_string(pid) + ", and it left no ledger in " +
              ledger_directory());
}

// The value of `--flag=VALUE` or `--flag VALUE`; nothing: this is another flag.
std::optional<std::string_view> value_of(std::string_view flag, char**& arguments) {
  const std::string_view argument = *arguments;
  if (argument == flag && arguments[1] != nullptr) return *++arguments;
  if (!argument.starts_with(flag) || !argument.substr(flag.size()).starts_with('='))
    return std::nullopt;
  return argument.substr(flag.size() + 1);
}

// The exit status when the arguments make no sense.
std::optional<int> read_arguments(char** arguments, Wish& wish) {
  for (bool flags_end = false; *arguments != nullptr; ++arguments) {
    const std::string_view argument = *arguments;
    const bool is_flag = !flags_end && argument.size() > 1 && argument.front() == '-';
    if (is_flag && argument == "--") {
      flags_end = true;
    } else if (is_flag && argument == "--json") {
      wish.json = true;
    } else if (is_flag && (argument == "--help" || argument == "-h")) {
      return print(help_about("stats"));
    } else if (const auto by = is_flag ? value_of("--by", arguments) : std::nullopt) {
      const auto order = report::stats_order(*by);
      if (!order) return fail("--by is wait, hold or count, not '" + std::string(*by) + "'");
      wish.order = *order;
    } else if (const auto top = is_flag ? value_of("--top", arguments) : std::nullopt) {
      const auto [end, error] = std::from_chars(top->data(), top->data() + top->size(), wish.top);
      if (error != std::errc() || end != top->data() + top->size()) {
        return fail("--top is a number of rows, not '" + std::string(*top) + "'");
      }
    } else if (const auto dir = is_flag ? value_of("--debug-dir", arguments) : std::nullopt) {
      wish.debug_dirs.emplace_back(*dir);
    } else if (is_flag) {
      return unknown_flag("stats", argument, kFlags);
    } else if (wish.what) {
      return fail("impasse stats shows one process at a time; '" + std::string(argument) +
                  "' is one too many");
    } else {
      wish.what = argument;
    }
  }
  return std::nullopt;
}

}  // namespace

int stats(char** arguments) {
  Wish wish;
  if (const auto status = read_arguments(arguments, wish)) return *status;
  if (!wish.what) {
    return fail("impasse stats needs a process or a file: impasse stats [--json] PID|FILE");
  }
  const bool digits = wish.what->find_first_not_of("0123456789") == std::string_view::npos;
  return digits ? stats_of_process(*wish.what, wish) : stats_of_file(std::string(*wish.what), wish);
}

}  // namespace impasse::command
