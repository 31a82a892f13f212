// What keeps findings from being told or from counting: the rules of `suppressions`, the list of
// `baseline`; and what came of them, for the process's last words. A finding that has grown may
// come to something else: what it is at the end counts, once.
//
// Promises: files are read once, when it is made; one that cannot be read is a complaint and holds
// nothing back. For the watchdog's thread; the rules themselves never change and may be read on any
// thread.
#pragma once

#include <cstddef>
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

  // What a finding came to. `place` is where that stands, and where it is replaced when the finding
  // has grown.
  using Place = std::size_t;
  static constexpr Place kNew = ~Place{0};
  void count_told(const report::Report& report, Place& place);
  void count_suppressed(const report::Judgement& judgement, Place& place);
  void leave_open(const report::Judgement& judgement) { use_.leave_open(judgement); }
  // The rule that stands first among those that held, for the log.
  std::string name_of_rule(const report::Judgement& judgement) const;

  bool has_last_words() const;
  std::string last_words(const std::string& directory) const;

 private:
  struct Standing {
    bool told = false;
    bool was_told = false;  // ... before a rule held for it
    FindingKind kind = FindingKind::kDump;
    bool low = false;
    bool known = false;
    report::Judgement judgement;  // of one that is not told
  };

  std::vector<report::SuppressionRule> read_rules();
  Standing& standing(Place& place);

  std::string suppressions_path_;
  std::vector<std::string> complaints_;
  std::vector<report::SuppressionRule> rules_;
  report::RuleUse use_;
  report::Baseline baseline_;
  std::vector<Standing> standings_;
};

}  // namespace impasse::witness
