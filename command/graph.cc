#include "command/graph.h"

#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "command/ask_process.h"
#include "command/file.h"
#include "command/help.h"
#include "command/ledger_places.h"
#include "command/name_offline.h"
#include "command/output.h"
#include "command/process_view.h"
#include "detector/ledger_layout.h"
#include "options/options.h"
#include "report/order_dot.h"
#include "report/report_json.h"
#include "report/report_reader.h"

namespace impasse::command {
namespace {

constexpr std::string_view kFlags[] = {"--dot", "--json", "--debug-dir", "--help"};

struct Wish {
  bool json = false;
  std::vector<std::string> debug_dirs;
  std::optional<std::string_view> what;
};

bool started_without_orders(pid_t pid) {
  Complaints complaints;
  const std::string text = started_with(pid, "IMPASSE_OPTIONS").value_or("");
  return parse(text, complaints).order == OrderWish::kOff;
}

int print_graph(report::Report report, const std::string& root, const Wish& wish) {
  name_offline(report, wish.debug_dirs, root);
  return print(wish.json ? report::report_json(report) : report::orders_dot(report));
}

int graph_of_process(std::string_view number, const Wish& wish) {
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), pid);
  const std::string name = "process " + std::string(number);
  if (error != std::errc() || pid <= 0) return fail(name + ": there is no such number");
  const ProcessView process = view_process(pid);
  if (process.presence != ProcessView::Presence::kLive) {
    return fail(name + " is not there, or not ours to look at; the graph is in its memory alone");
  }
  const Mapped mapped = mapped_in(process);
  if (mapped.ledger_path.empty()) {
    return fail(name + (mapped.library
                            ? " runs under impasse, but shows no ledger: it has no second thread "
                              "yet, or was started with ledger=off"
                            : " does not run under impasse: libimpasse.so is not loaded in it"));
  }
  const LedgerFile file = open_mapped(process, mapped);
  if (!file) return fail(file.problem());
  if (started_without_orders(pid)) {
    return fail(name + " does not record the orders of its locks: it was started with order=off");
  }
  const Answer answer = ask_for_report(process, file, request_flag::kOrders);
  if (!answer.problem.empty()) return fail(name + " gave no graph: " + answer.problem);
  std::string problem;
  report::Report report = report::read_report(answer.json, problem);
  if (!problem.empty()) return fail("the answer of " + name + " is no report: " + problem);
  const std::string root = has_other_mounts(pid) ? "/proc/" + std::to_string(pid) + "/root" : "";
  return print_graph(std::move(report), root, wish);
}

int graph_of_file(const std::string& path, const Wish& wish) {
  const FileText file = read_file(path, kLargestReport);
  if (file.error != 0) return fail("cannot read " + path + ": " + std::strerror(file.error));
  if (file.text.size() >= kLargestReport) return fail(path + " is larger than any report is");
  std::string problem;
  report::Report report = report::read_report(file.text, problem);
  if (!problem.empty()) return fail(path + " is no report: " + problem);
  if (report.finding.kind != FindingKind::kLockOrder && !is_graph(report)) {
    const bool dump =
        report.finding.kind == FindingKind::kDump && report.finding.foreign_kind.empty();
    return fail(path + (dump ? " is a dump of threads" : " is a report of another kind") +
                ", which has no orders of locks; those are asked of the live process: impasse "
                "graph PID");
  }
  return print_graph(std::move(report), "", wish);
}

}  // namespace

bool is_graph(const report::Report& report) {
  const report::Finding& finding = report.finding;
  return finding.kind == FindingKind::kDump && finding.foreign_kind.empty() &&
         (!finding.orders.empty() || report.threads.empty());
}

int graph(char** arguments) {
  constexpr std::string_view kDirectory = "--debug-dir=";
  Wish wish;
  for (bool flags_end = false; *arguments != nullptr; ++arguments) {
    const std::string_view argument = *arguments;
    const bool is_flag = !flags_end && argument.size() > 1 && argument.front() == '-';
    if (is_flag && argument == "--") {
      flags_end = true;
    } else if (is_flag && (argument == "--dot" || argument == "--json")) {
      wish.json = argument == "--json";
    } else if (is_flag && argument.starts_with(kDirectory)) {
      wish.debug_dirs.emplace_back(argument.substr(kDirectory.size()));
    } else if (is_flag && argument == "--debug-dir" && arguments[1] != nullptr) {
      wish.debug_dirs.emplace_back(*++arguments);
    } else if (is_flag && (argument == "--help" || argument == "-h")) {
      return print(help_about("graph"));
    } else if (is_flag) {
      return unknown_flag("graph", argument, kFlags);
    } else if (wish.what) {
      return fail("impasse graph shows one process at a time; '" + std::string(argument) +
                  "' is one too many");
    } else {
      wish.what = argument;
    }
  }
  if (!wish.what) {
    return fail("impasse graph needs a process or a file: impasse graph [--dot|--json] PID|FILE");
  }
  const bool digits = wish.what->find_first_not_of("0123456789") == std::string_view::npos;
  return digits ? graph_of_process(*wish.what, wish) : graph_of_file(std::string(*wish.what), wish);
}

}  // namespace impasse::command
