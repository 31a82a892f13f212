#include "witness/sieve.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "report/words.h"

namespace impasse::witness {
namespace {

constexpr std::size_t kLargestRules = std::size_t{1} << 20;
constexpr std::size_t kLargestBaseline = std::size_t{32} << 20;

// Why not, a clause; empty: `text` is all of it. Nothing that could hang is opened for long: no
// pipe, no terminal, no device.
std::string read_file(const std::string& path, std::size_t most, std::string& text) {
  const int fd = open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0) return strerrordesc_np(errno);
  struct stat file {};
  std::string trouble;
  if (fstat(fd, &file) != 0) {
    trouble = strerrordesc_np(errno);
  } else if (!S_ISREG(file.st_mode)) {
    trouble = "it is no regular file";
  }
  constexpr std::size_t kStep = 16'384;
  while (trouble.empty()) {
    const std::size_t had = text.size();
    text.resize(had + kStep);
    const ssize_t n = read(fd, text.data() + had, kStep);
    const int error = errno;
    text.resize(had + (n > 0 ? static_cast<std::size_t>(n) : 0));
    if (n == 0) break;
    if (n < 0 && error != EINTR) trouble = strerrordesc_np(error);
    if (text.size() > most) trouble = "it is larger than " + std::to_string(most >> 20) + " MiB";
  }
  close(fd);
  return trouble;
}

report::Baseline read_known(const std::string& path, std::vector<std::string>& complaints) {
  report::Baseline baseline;
  if (path.empty()) return baseline;
  std::string text;
  std::string trouble = read_file(path, kLargestBaseline, text);
  if (trouble.empty()) baseline = report::read_baseline(text, trouble);
  if (!trouble.empty()) {
    complaints.push_back("the baseline " + path + " cannot be used (" + trouble +
                         "); every finding counts as new");
  }
  return baseline;
}

}  // namespace

Sieve::Sieve(std::string suppressions, const std::string& baseline)
    : suppressions_path_(std::move(suppressions)),
      rules_(read_rules()),
      use_(rules_.size()),
      baseline_(read_known(baseline, complaints_)) {}

std::vector<report::SuppressionRule> Sieve::read_rules() {
  if (suppressions_path_.empty()) return {};
  std::string text;
  const std::string trouble = read_file(suppressions_path_, kLargestRules, text);
  if (!trouble.empty()) {
    complaints_.push_back("the suppressions " + suppressions_path_ + " cannot be read (" + trouble +
                          "); nothing is suppressed");
    return {};
  }
  report::Suppressions read = report::parse_suppressions(text);
  for (const std::string& complaint : read.complaints) {
    complaints_.push_back(suppressions_path_ + ": " + complaint);
  }
  return std::move(read.rules);
}

bool Sieve::is_known(const report::Report& report) const {
  return baseline_.has(report.finding.fingerprint);
}

void Sieve::mark(report::Report& report) const {
  if (report.finding.kind == FindingKind::kDump || !is_known(report)) return;
  report.notes.emplace_back("known: in the baseline; it does not count for exit_code");
}

bool Sieve::counts(const report::Report& report) const {
  return report.finding.kind != FindingKind::kDump && report.finding.doubt == OrderDoubt::kNone &&
         !is_known(report);
}

Sieve::Standing& Sieve::standing(Place& place) {
  if (place == kNew) {
    place = standings_.size();
    standings_.emplace_back();
  }
  Standing& mine = standings_[place];
  // A rule that held for what it was has done something: nobody should call it unused.
  use_.leave_open({{}, mine.judgement.matched});
  mine.was_told = mine.was_told || mine.told;
  return mine;
}

void Sieve::count_told(const report::Report& report, Place& place) {
  if (report.finding.kind == FindingKind::kDump) return;
  Standing& mine = standing(place);
  mine.told = true;
  mine.kind = report.finding.kind;
  mine.low = report.finding.doubt != OrderDoubt::kNone;
  mine.known = is_known(report);
  mine.judgement = {};
}

void Sieve::count_suppressed(const report::Judgement& judgement, Place& place) {
  Standing& mine = standing(place);
  mine.told = false;
  mine.judgement = judgement;
}

std::string Sieve::name_of_rule(const report::Judgement& judgement) const {
  if (judgement.matched.empty()) return "";
  return suppressions_path_ + ":" + std::to_string(rules_[judgement.matched.front()].line);
}

bool Sieve::has_last_words() const {
  return !rules_.empty() || !standings_.empty();
}

std::string Sieve::last_words(const std::string& directory) const {
  report::Tally tally;
  report::RuleUse use = use_;
  std::size_t late = 0;
  for (const Standing& one : standings_) {
    const auto kind = static_cast<std::size_t>(one.kind);
    if (!one.told) {
      ++tally.suppressed;
      if (one.was_told) ++late;
      use.count(one.judgement);
    } else if (kind < tally.told.size()) {
      ++tally.told[kind];
      if (one.low) ++tally.low[kind];
      if (one.known) ++tally.known;
    }
  }
  std::string words = report::last_words(tally, rules_, use, suppressions_path_, directory);
  if (late != 0) {
    words += "impasse: of the suppressed " + std::to_string(late) + (late == 1 ? " was" : " were") +
             " told before a rule held" +
             (directory.empty() ? "" : "; reports in " + report::printable(directory)) + '\n';
  }
  return words;
}

}  // namespace impasse::witness
