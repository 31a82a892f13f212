// What a process says at its end: how much was found, how much was silenced and by which rules.
//
// Promises: pure; empty when there is nothing to say. A few lines, however many rules there are.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "report/suppression_match.h"
#include "report/suppressions.h"

namespace impasse::report {

struct Tally {
  static constexpr std::size_t kKinds = static_cast<std::size_t>(FindingKind::kAllAsleep) + 1;

  std::array<std::uint32_t, kKinds> told{};  // by kind
  std::array<std::uint32_t, kKinds> low{};   // of those, with a doubt
  std::uint32_t known = 0;                   // of all told: in the baseline
  std::uint32_t suppressed = 0;

  std::uint32_t all() const;
};

// How often each rule held. What might have held, had names been looked up, is not called unused.
class RuleUse {
 public:
  explicit RuleUse(std::size_t rules) : matched_(rules), perhaps_(rules) {}

  void count(const Judgement& judgement);
  void leave_open(const Judgement& judgement);  // told without having asked these rules
  std::uint32_t matched(std::size_t rule) const { return matched_[rule]; }
  bool unused(std::size_t rule) const { return matched_[rule] == 0 && !perhaps_[rule]; }

 private:
  std::vector<std::uint32_t> matched_;
  std::vector<bool> perhaps_;
};

// "1 deadlock, 2 lock orders (1 low), 1 of them known; 3 suppressed"; empty: nothing at all.
std::string summary(const Tally& tally);

// All that is said, in lines that begin with "impasse: ". `file`: of the rules; `directory`: of the
// reports, empty when there are none.
std::string last_words(const Tally& tally, const std::vector<SuppressionRule>& rules,
                       const RuleUse& use, const std::string& file, const std::string& directory);

}  // namespace impasse::report
