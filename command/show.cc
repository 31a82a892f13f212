#include "command/show.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "command/file.h"
#include "command/graph.h"
#include "command/help.h"
#include "command/name_offline.h"
#include "command/output.h"
#include "command/text_style.h"
#include "report/report_json.h"
#include "report/report_reader.h"
#include "report/report_text.h"
#include "report/suppression_for.h"
#include "report/words.h"

namespace impasse::command {
namespace {

constexpr std::string_view kFlags[] = {"--json",   "--suppression", "--raw",
                                       "--colour", "--debug-dir",   "--help"};

struct Wish {
  bool json = false;
  bool suppression = false;
  bool raw = false;
  std::string_view colour = "auto";
  std::vector<std::string> debug_dirs;
  std::vector<std::string> files;
};

// ---- what it is made from

bool is_text_form(std::string_view path) {
  return path.ends_with(".txt");
}

// What an unknown file says must not command the terminal.
std::string harmless(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of("\n\t"), text.size());
    out += report::printable(text.substr(0, end));
    if (end < text.size()) out += text[end];
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

int fail_to_read(const std::string& path, int error) {
  return fail("cannot read " + path + ": " + std::strerror(error));
}

int show_suppression(const std::string& path, const report::Report& report) {
  const std::string rule = report::suppression_for(report);
  if (!rule.empty()) return print(rule);
  if (!report.finding.foreign_kind.empty()) {
    return fail(path + " is of a kind that this version of impasse does not know");
  }
  if (report.finding.kind == FindingKind::kDump) {
    return fail(path + " is a dump: nothing was found, so there is nothing to suppress");
  }
  return fail(path + " has neither names of functions nor a fingerprint that a rule could name");
}

int show_json_form(const std::string& path, const std::string& bytes, const Wish& wish) {
  if (bytes.size() >= kLargestReport) return fail(path + " is larger than any report is");
  std::string problem;
  report::Report report = report::read_report(bytes, problem);
  if (!problem.empty()) return fail(path + " is no report: " + problem);
  if (is_graph(report) && !wish.json) {
    return fail(path +
                " is a graph of the orders of locks, which shows nobody who waits; impasse "
                "graph " +
                path + " prints it for Graphviz");
  }
  if (!wish.raw) name_offline(report, wish.debug_dirs);
  if (wish.suppression) return show_suppression(path, report);
  return print(wish.json ? report::report_json(report)
                         : report::report_text(report, text_style(wish.colour)));
}

int show_file(const std::string& path, const Wish& wish) {
  if (is_text_form(path)) {
    const std::string beside = path.substr(0, path.size() - 4) + ".json";
    FileText json = read_file(beside, kLargestReport);
    if (json.error == 0) return show_json_form(beside, json.text, wish);
    const FileText text = read_file(path, kLargestReport);
    if (text.error != 0) return fail_to_read(path, text.error);
    if (!wish.json && !wish.suppression && wish.debug_dirs.empty())
      return print(harmless(text.text));
    return fail("only the text form is there; its JSON form, " + beside +
                ", cannot be read: " + std::strerror(json.error));
  }
  const FileText json = read_file(path, kLargestReport);
  if (json.error != 0) return fail_to_read(path, json.error);
  return show_json_form(path, json.text, wish);
}

// ---- its arguments

// True: understood. Otherwise `status` is what to return.
bool take_flag(std::string_view flag, char**& rest, Wish& wish, int& status) {
  constexpr std::string_view kColour = "--colour=";
  constexpr std::string_view kDirectory = "--debug-dir=";
  if (flag == "--json") {
    wish.json = true;
  } else if (flag == "--suppression") {
    wish.suppression = true;
  } else if (flag == "--raw") {
    wish.raw = true;
  } else if (flag.starts_with(kColour)) {
    wish.colour = flag.substr(kColour.size());
    if (wish.colour != "auto" && wish.colour != "always" && wish.colour != "never") {
      status = fail("--colour is auto, always or never, not '" + std::string(wish.colour) + "'");
      return false;
    }
  } else if (flag.starts_with(kDirectory)) {
    wish.debug_dirs.emplace_back(flag.substr(kDirectory.size()));
  } else if (flag == "--debug-dir" && rest[1] != nullptr) {
    wish.debug_dirs.emplace_back(*++rest);
  } else if (flag == "--debug-dir") {
    status = fail("--debug-dir needs a directory");
    return false;
  } else if (flag == "--help" || flag == "-h") {
    status = print(show_help());
    return false;
  } else {
    status = unknown_flag("show", flag, kFlags);
    return false;
  }
  return true;
}

}  // namespace

int show(char** arguments) {
  Wish wish;
  bool flags_end = false;
  int status = kOk;
  for (; *arguments != nullptr; ++arguments) {
    const std::string_view argument = *arguments;
    if (!flags_end && argument == "--") {
      flags_end = true;
    } else if (flags_end || argument.size() < 2 || argument.front() != '-') {
      wish.files.emplace_back(argument);
    } else if (!take_flag(argument, arguments, wish, status)) {
      return status;
    }
  }
  if (wish.files.empty()) return fail("impasse show needs a report: impasse show [--json] FILE...");
  if (wish.json && wish.suppression) return fail("--json and --suppression do not go together");
  for (std::size_t i = 0; i < wish.files.size(); ++i) {
    if (i != 0 && !wish.json && print("\n") != kOk) return kFailed;
    status = std::max(status, show_file(wish.files[i], wish));
  }
  return status;
}

}  // namespace impasse::command
