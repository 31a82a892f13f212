#include "report/tally.h"

#include <numeric>

#include "report/spoken.h"
#include "report/words.h"

namespace impasse::report {
namespace {

constexpr std::size_t kMostRulesNamed = 20;

struct KindWords {
  FindingKind kind;
  const char* one;
  const char* many;
};
constexpr KindWords kWords[] = {
    {FindingKind::kDeadlock, "deadlock", "deadlocks"},
    {FindingKind::kSelfDeadlock, "self-deadlock", "self-deadlocks"},
    {FindingKind::kOrphanedLock, "orphaned lock", "orphaned locks"},
    {FindingKind::kLongWait, "long wait", "long waits"},
    {FindingKind::kMisuse, "broken rule", "broken rules"},
    {FindingKind::kStuckCondition, "stuck condition", "stuck conditions"},
    {FindingKind::kAllAsleep, "process asleep", "processes asleep"},
    {FindingKind::kLockOrder, "lock order", "lock orders"},
};

std::string rule_name(const SuppressionRule& rule, const std::string& file) {
  return printable(file) + ":" + std::to_string(rule.line);
}

}  // namespace

std::uint32_t Tally::all() const {
  return std::accumulate(told.begin(), told.end(), std::uint32_t{0});
}

void RuleUse::count(const Judgement& judgement) {
  for (const std::size_t rule : judgement.matched) ++matched_[rule];
  if (judgement.suppressed()) leave_open(judgement);
}

void RuleUse::leave_open(const Judgement& judgement) {
  for (const std::size_t rule : judgement.undecided) perhaps_[rule] = true;
}

std::string summary(const Tally& tally) {
  std::string text;
  for (const KindWords& words : kWords) {
    const auto kind = static_cast<std::size_t>(words.kind);
    if (tally.told[kind] == 0) continue;
    if (!text.empty()) text += ", ";
    text += counted(tally.told[kind], words.one, words.many);
    if (tally.low[kind] != 0) text += " (" + std::to_string(tally.low[kind]) + " low)";
  }
  if (tally.known != 0) text += "; " + std::to_string(tally.known) + " known";
  if (tally.suppressed != 0) {
    text += (text.empty() ? "" : "; ") + std::to_string(tally.suppressed) + " suppressed";
  }
  return text;
}

std::string last_words(const Tally& tally, const std::vector<SuppressionRule>& rules,
                       const RuleUse& use, const std::string& file, const std::string& directory) {
  std::string text = summary(tally);
  if (!text.empty()) {
    text = "impasse: " + text;
    if (tally.all() != 0 && !directory.empty()) text += "; reports in " + printable(directory);
    text += '\n';
  }
  std::size_t named = 0;
  std::size_t more = 0;
  for (std::size_t i = 0; i < rules.size(); ++i) {
    if (use.matched(i) == 0 && !use.unused(i)) continue;
    if (++named > kMostRulesNamed) {
      ++more;
    } else if (use.matched(i) != 0) {
      text += "impasse: suppressed " + std::to_string(use.matched(i)) + " by rule " +
              rule_name(rules[i], file) + " (" + rules[i].text + ")\n";
    } else {
      text += "impasse: unused rule " + rule_name(rules[i], file) + " (" + rules[i].text + ")\n";
    }
  }
  if (more != 0) {
    text += "impasse: and " + counted(more, "rule", "rules") + " more, used or not\n";
  }
  return text;
}

}  // namespace impasse::report
