// Rules that keep findings from being told, as a file says them: one a line, every condition of it
// must hold, each by any frame of the finding.
//
//   # a comment
//   kind=lock_order function=*legacy::* module=libfoo.so* file=*/third_party/*  "why this is fine"
//   fingerprint=0123456789abcdef
//
// Promises: any bytes are accepted. A rule that is not understood, or that would hold for every
// finding (nothing but a lock primitive is named), is refused with the reason and the others count.
// Bounded: so many rules, so many conditions in each. Pure; also for code that runs inside.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "detector/finding_kinds.h"

namespace impasse::report {

enum class PlaceKind : std::uint8_t { kFunction, kModule, kFile };

struct PlaceGlob {
  PlaceKind kind = PlaceKind::kFunction;
  std::string glob;
};

struct SuppressionRule {
  std::uint32_t line = 0;
  std::string text;  // as written, printable and short
  std::optional<FindingKind> kind;
  std::string fingerprint;  // empty: any
  std::vector<PlaceGlob> places;
  std::string why;  // what the file says about it
};

struct Suppressions {
  static constexpr std::size_t kMostRules = 1'000;
  static constexpr std::size_t kMostConditions = 16;
  static constexpr std::size_t kMostComplaints = 20;

  std::vector<SuppressionRule> rules;
  std::vector<std::string> complaints;  // "line 3: ..."
};

Suppressions parse_suppressions(std::string_view text);

// "deadlock" and so on, of those that a rule may name. Nothing: no such kind.
std::optional<FindingKind> finding_of_word(std::string_view word);
bool is_fingerprint(std::string_view text);  // 16 hexadecimal digits, small letters
// A value as it stands in a rule: in double quotes where it needs them.
std::string rule_value(std::string_view value);

}  // namespace impasse::report
