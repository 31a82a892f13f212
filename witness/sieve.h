// What keeps findings from being told or from counting: the rules of `suppressions`, the list of
// `baseline`; and what came of them, for the process's last words.
//
// Promises: files are read once, when it is made; one that cannot be read is a complaint and holds
// nothing back. For the watchdog's thread; the rules themselves never change and may be read on any
// thread.
#pragma once

#include <string>
#include <vector>

#include "report/baseline.h"
#include "report/report.h"
#include "report/suppression_match.h"
#include "report/tally.h"

namespace impasse::witness {

class Sieve {
 public:
  // Paths; empty: there is no such file.
  Sieve(std::string suppressions, const std::string& baseline);

  const std::vector<std::string>& complaints() const { return complaints_; }
  const std::vector<report::SuppressionRule>& rules() const { return rules_; }

  bool is_known(const report::Report& report) const;
  // Adds the note that says so.
  void mark(report::Report& report) const;
  // It is new and nothing speaks against it.
  bool counts(const report::Report& report) const;

  void count_told(const report::Report& report);
  void count_suppressed(const report::Judgement& judgement);
  void leave_open(const report::Judgement& judgement) { use_.leave_open(judgement); }
  // The rule that stands first among those that held, for the log.
  std::string name_of_rule(const report::Judgement& judgement) const;

  bool has_last_words() const;
  std::string last_words(const std::string& directory) const;

 private:
  std::vector<report::SuppressionRule> read_rules();

  std::string suppressions_path_;
  std::vector<std::string> complaints_;
  std::vector<report::SuppressionRule> rules_;
  report::RuleUse use_;
  report::Baseline baseline_;
  report::Tally tally_;
};

}  // namespace impasse::witness
