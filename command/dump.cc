#include "command/dump.h"

#include <algorithm>
#include <cstring>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "command/asked_process.h"
#include "command/help.h"
#include "command/ledger_places.h"
#include "command/live_report.h"
#include "command/name_offline.h"
#include "command/output.h"
#include "command/process_view.h"
#include "detector/stats_reader.h"
#include "options/options.h"
#include "report/fact_names.h"
#include "report/facts.h"
#include "report/facts_json.h"
#include "report/facts_text.h"
#include "report/json_writer.h"

namespace impasse::command {
namespace {

using Presence = ProcessView::Presence;

std::uint64_t clock_ns(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

bool all_digits(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

struct Wish {
  bool facts = false;  // of the ledger, without asking the process
  LiveReportWish report;
};
constexpr std::string_view kFlags[] = {"--json", "--facts", "--running-stacks", "--debug-dir",
                                       "--help"};

int print_facts(LedgerReading reading, LedgerFile& file, report::Origin origin,
                const ProcessView& process, const LiveReportWish& wish) {
  report::Facts facts;
  // Of a process that is gone nobody else knows what was where. A live one may be asked.
  if (origin != report::Origin::kLive) {
    facts.modules = modules_on_disk(read_maps(file, reading));
    facts.names = report::to_be_named(reading.snapshot, facts.modules);
    name_offline(facts.names, wish.debug_dirs);
  }
  facts.snapshot = std::move(reading.snapshot);
  facts.origin = origin;
  if (facts.alive()) {
    facts.live = live_threads(process);
    facts.modules = symbolize::Modules::from_maps(process.maps);
  }
  facts.monotonic_ns = clock_ns(CLOCK_MONOTONIC);
  facts.wall_ns = clock_ns(CLOCK_REALTIME);
  facts.ledger = file.path();
  facts.version = IMPASSE_VERSION;
  return print(wish.json ? report::facts_json(facts) : report::facts_text(facts));
}

// Another way to read the rest of a sentence: "…: damaged: its regions overlap".
int fail_reading(const LedgerFile& file, const std::string& problem) {
  return fail(file.path() + ": " + problem);
}

// ---- the library is there, a ledger is not

int print_no_ledger(const ProcessView& process, bool json) {
  const std::string sentence = named(process) +
                               " runs under impasse and has no ledger yet: it has started no "
                               "second thread and no thread of it " +
                               "has ever had to wait; nothing is stuck";
  if (!json) return print(sentence + "\n");
  report::JsonWriter writer;
  writer.begin_object();
  writer.text("schema", report::kFactsSchema);
  writer.text("impasse", IMPASSE_VERSION);
  writer.begin_object("process");
  writer.number("pid", static_cast<std::uint64_t>(process.inner_pid));
  writer.text("program", process.name);
  writer.boolean("alive", true);
  writer.text("origin", "live");
  writer.null("ledger");
  writer.end_object();
  writer.begin_array("threads");
  writer.end_array();
  writer.text("note", sentence);
  writer.end_object();
  return print(writer.take());
}

int without_ledger(const ProcessView& process, bool json) {
  const std::string text = started_with(process.pid, "IMPASSE_OPTIONS").value_or("");
  Complaints complaints;
  const Options options = parse(text, complaints);
  if (!watches(options, process.name)) {
    return fail(named(process) +
                " is not watched: it was started with only=" + std::string(options.only.view()));
  }
  // Our own thread runs as soon as there is a ledger.
  const auto threads = live_threads(process);
  const bool has_watchdog = std::any_of(threads.begin(), threads.end(), [](const auto& thread) {
    return thread.name == report::kWatchdogName;
  });
  if (!has_watchdog) return print_no_ledger(process, json);
  if (options.ledger.is("off")) {
    return fail(named(process) +
                " keeps its ledger in memory that only it can see: it was started with ledger=off");
  }
  return fail(named(process) +
              " keeps its ledger in memory that only it can see: no file could be made in " +
              std::string(options.ledger.view()) + " (no room, or no permission)");
}

// ---- a process by its number

int dump_live(const ProcessView& process, const Wish& wish) {
  const bool json = wish.report.json;
  const Mapped mapped = mapped_in(process);
  if (mapped.ledger_path.empty()) {
    if (mapped.library) return without_ledger(process, json);
    const auto left = left_behind(ledger_directory(), process.inner_pid);
    return fail(named(process) +
                " does not run under impasse: libimpasse.so is not loaded in it; " +
                (left.empty() ? "start it with: impasse run -- PROGRAM"
                              : "an earlier process of this number left " + left.front()));
  }
  LedgerFile file = open_mapped(process, mapped);
  if (!file) {
    if (mapped.ledger_deleted) {
      return fail("the ledger of " + named(process) + ", " + mapped.ledger_path +
                  ", was deleted while it runs; root can still read it");
    }
    return fail(file.problem());
  }
  LedgerReading reading = read_ledger(file);
  if (!reading.problem.empty()) return fail_reading(file, reading.problem);
  if (reading.snapshot.pid != static_cast<std::uint32_t>(process.inner_pid)) {
    return fail(file.path() + " is the ledger of another process (" +
                std::to_string(reading.snapshot.pid) + ")");
  }
  if (!wish.facts) {
    if (const auto status = print_live_report(process, file, wish.report)) return *status;
  }
  return print_facts(std::move(reading), file, report::Origin::kLive, process, wish.report);
}

int dump_left_behind(const ProcessView& process, const LiveReportWish& wish) {
  const std::string directory = ledger_directory();
  const std::string gone = process.presence == Presence::kEnded
                               ? named(process) + " has ended"
                               : "there is no process " + std::to_string(process.pid);
  std::string problem;
  for (const std::string& path : left_behind(directory, process.pid)) {
    LedgerFile file(path, O_NOFOLLOW);
    if (!file) {
      if (problem.empty()) problem = file.problem();
      continue;
    }
    LedgerReading reading = read_ledger(file);
    if (reading.problem.empty()) {
      return print_facts(std::move(reading), file, report::Origin::kLeftBehind, process, wish);
    }
    if (problem.empty()) problem = file.path() + ": " + reading.problem;
  }
  if (!problem.empty()) return fail(gone + ", and what it left behind cannot be read: " + problem);
  return fail(gone + ", and it left no ledger in " + directory);
}

int dump_process(std::string_view number, const Wish& wish) {
  const AskedProcess asked = asked_process(number);
  if (!asked.problem.empty()) return fail(asked.problem);
  return asked.process.presence == Presence::kLive ? dump_live(asked.process, wish)
                                                   : dump_left_behind(asked.process, wish.report);
}

// ---- a file

// Whose file it is: of a process that has it mapped now, of one that is gone, or nobody's that is
// known.
report::Origin origin_of(const LedgerFile& file, const Snapshot& snapshot, ProcessView& process) {
  const auto pid = static_cast<pid_t>(snapshot.pid);
  if (pid <= 0) return report::Origin::kFile;
  process = view_process(pid);
  if (process.presence == Presence::kLive) {
    const Mapped mapped = mapped_in(process);
    if (!mapped.ledger_path.empty() && mapped.ledger_inode == file.inode()) {
      return report::Origin::kLive;
    }
  }
  const bool gone = process.presence == Presence::kNone || process.presence == Presence::kEnded ||
                    (process.start != 0 && snapshot.process_start != 0 &&
                     process.start != snapshot.process_start);
  const std::string_view path = file.path();
  const bool original = is_ledger_name(path.substr(path.rfind('/') + 1), pid);
  return gone && original ? report::Origin::kLeftBehind : report::Origin::kFile;
}

int dump_file(const std::string& path, const LiveReportWish& wish) {
  LedgerFile file(path);
  if (!file) return fail(file.problem());
  LedgerReading reading = read_ledger(file);
  if (!reading.problem.empty()) return fail_reading(file, reading.problem);
  ProcessView process;
  const report::Origin origin = origin_of(file, reading.snapshot, process);
  return print_facts(std::move(reading), file, origin, process, wish);
}

}  // namespace

int dump(char** arguments) {
  Wish wish;
  std::optional<std::string_view> what;
  bool flags_end = false;
  for (; *arguments != nullptr; ++arguments) {
    const std::string_view argument = *arguments;
    constexpr std::string_view kDirectory = "--debug-dir=";
    if (!flags_end && argument == "--") {
      flags_end = true;
    } else if (!flags_end && argument == "--json") {
      wish.report.json = true;
    } else if (!flags_end && argument == "--facts") {
      wish.facts = true;
    } else if (!flags_end && argument == "--running-stacks") {
      wish.report.running_stacks = true;
    } else if (!flags_end && argument.starts_with(kDirectory)) {
      wish.report.debug_dirs.emplace_back(argument.substr(kDirectory.size()));
    } else if (!flags_end && argument == "--debug-dir" && arguments[1] != nullptr) {
      wish.report.debug_dirs.emplace_back(*++arguments);
    } else if (!flags_end && (argument == "--help" || argument == "-h")) {
      return print(dump_help());
    } else if (!flags_end && argument.size() > 1 && argument.front() == '-') {
      return unknown_flag("dump", argument, kFlags);
    } else if (what) {
      return fail("impasse dump shows one process at a time; '" + std::string(argument) +
                  "' is one too many");
    } else {
      what = argument;
    }
  }
  if (!what) return fail("impasse dump needs a process or a file: impasse dump [--json] PID|FILE");
  if (all_digits(*what)) return dump_process(*what, wish);
  return dump_file(std::string(*what), wish.report);
}

}  // namespace impasse::command
