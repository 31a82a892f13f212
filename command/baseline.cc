#include "command/baseline.h"

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "command/file.h"
#include "command/help.h"
#include "command/output.h"
#include "report/baseline.h"
#include "report/facts_json.h"
#include "report/report_reader.h"
#include "report/suppression_for.h"
#include "report/suppressions.h"
#include "report/words.h"

namespace impasse::command {
namespace {

// What helps a reader of the file, and is the same in every run.
std::string note_of(const report::Report& report) {
  std::string note = report.process.program;
  for (const std::string& name : report::functions_of_finding(report)) {
    note += (note == report.process.program ? ": " : ", ") + name;
  }
  return note;
}

int fail_with(const std::string& path, const std::string& trouble) {
  return fail(path + " " + trouble);
}

// What `impasse dump --json` prints for a process that does not answer.
bool is_facts(const std::string& bytes) {
  constexpr std::size_t kStart = 200;
  const std::string_view start = std::string_view(bytes).substr(0, kStart);
  const std::size_t schema = start.find("\"schema\"");
  const std::string word = "\"" + std::string(report::kFactsSchema) + "\"";
  return schema != std::string_view::npos && start.find(word, schema) != std::string_view::npos;
}

int add_report(const std::string& path, const std::string& bytes, report::Baseline& known) {
  if (is_facts(bytes)) return kOk;
  std::string problem;
  const report::Report report = report::read_report(bytes, problem);
  if (!problem.empty()) return fail_with(path, "is no report: " + problem);
  // A dump among the reports of a run is no finding.
  const std::string& foreign_kind = report.finding.foreign_kind;
  if (report.finding.kind == FindingKind::kDump && foreign_kind.empty()) return kOk;
  if (!report::is_fingerprint(report.finding.fingerprint)) {
    return fail_with(path, "has a finding without a fingerprint");
  }
  const std::string kind =
      foreign_kind.empty() ? finding_word(report.finding.kind) : report::printable(foreign_kind);
  const bool added = known.add({report.finding.fingerprint, kind, note_of(report)});
  return added ? kOk : fail("there are more findings than a baseline may have");
}

// The JSON form of a report, the text form beside it, or an earlier baseline.
int add_file(const std::string& argument, report::Baseline& known) {
  constexpr std::string_view kText = ".txt";
  const std::string path = argument.ends_with(kText)
                               ? argument.substr(0, argument.size() - kText.size()) + ".json"
                               : argument;
  const FileText file = read_file(path, kLargestReport);
  if (file.error != 0) return fail("cannot read " + path + ": " + std::strerror(file.error));
  if (file.text.size() >= kLargestReport) return fail_with(path, "is larger than any report is");
  std::string no_baseline;
  const report::Baseline earlier = report::read_baseline(file.text, no_baseline);
  if (!no_baseline.empty()) return add_report(path, file.text, known);
  for (const report::KnownFinding& finding : earlier.findings()) {
    if (!known.add(finding)) return fail("there are more findings than a baseline may have");
  }
  return kOk;
}

}  // namespace

int baseline(char** arguments) {
  std::vector<std::string> files;
  bool flags_end = false;
  for (; *arguments != nullptr; ++arguments) {
    const std::string_view argument = *arguments;
    const bool flag = !flags_end && argument.size() > 1 && argument.front() == '-';
    if (flag && (argument == "--help" || argument == "-h")) return print(baseline_help());
    if (flag && argument != "--") {
      return fail("impasse baseline has no flag '" + std::string(argument) +
                  "'; impasse help baseline shows what there is");
    }
    if (flag) {
      flags_end = true;
    } else {
      files.emplace_back(argument);
    }
  }
  if (files.empty()) return fail("impasse baseline needs reports: impasse baseline FILE...");
  report::Baseline known;
  for (const std::string& file : files) {
    if (const int status = add_file(file, known); status != kOk) return status;
  }
  return print(report::baseline_json(known));
}

}  // namespace impasse::command
