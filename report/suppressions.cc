#include "report/suppressions.h"

#include <algorithm>
#include <array>
#include <span>

#include "report/commonplace.h"
#include "report/ink.h"
#include "report/words.h"

namespace impasse::report {
namespace {

constexpr std::size_t kLongestLine = 4'096;
constexpr std::size_t kLongestShown = 160;
constexpr std::string_view kKeys[] = {"kind", "function", "module", "file", "fingerprint"};
constexpr std::array kKinds = {FindingKind::kDeadlock,       FindingKind::kSelfDeadlock,
                               FindingKind::kOrphanedLock,   FindingKind::kLongWait,
                               FindingKind::kMisuse,         FindingKind::kLockOrder,
                               FindingKind::kStuckCondition, FindingKind::kAllAsleep};

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\f' || c == '\v';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

std::string quoted(std::string_view text) {
  return "'" + cut(printable(text), kLongestShown) + "'";
}

std::string choice(std::span<const std::string_view> words) {
  std::string list;
  for (const std::string_view one : words) list += (list.empty() ? "" : ", ") + std::string(one);
  return "; there are " + list;
}

// One line. What is wrong with it, a clause; empty: nothing.
class RuleReader {
 public:
  RuleReader(std::string_view line, SuppressionRule& rule) : rest_(line), rule_(rule) {}

  std::string read() {
    std::string wrong;
    while (wrong.empty() && !at_end()) wrong = condition();
    return wrong.empty() ? too_broad() : wrong;
  }

 private:
  bool at_end() {
    while (!rest_.empty() && is_blank(rest_.front())) rest_.remove_prefix(1);
    return rest_.empty() || rest_.front() == '#';
  }

  // What stands in double quotes at the front. False: they are not closed.
  bool take_quoted(std::string& text) {
    rest_.remove_prefix(1);
    while (!rest_.empty() && rest_.front() != '"') {
      const bool escaped =
          rest_.size() > 1 && rest_[0] == '\\' && (rest_[1] == '"' || rest_[1] == '\\');
      text += rest_[escaped ? 1 : 0];
      rest_.remove_prefix(escaped ? 2 : 1);
    }
    if (rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string condition() {
    if (!rule_.why.empty()) return "nothing may stand behind the words in quotes";
    if (rest_.front() == '"') {
      if (!take_quoted(rule_.why)) return "the quotes are not closed";
      return rule_.why.empty() ? "the words in quotes are empty" : "";
    }
    std::size_t i = 0;
    while (i < rest_.size() && !is_blank(rest_[i]) && rest_[i] != '=') ++i;
    const std::string_view key = rest_.substr(0, i);
    if (i == rest_.size() || rest_[i] != '=') {
      return quoted(key) +
             " is no condition (KEY=GLOB); a value with spaces stands in double quotes";
    }
    rest_.remove_prefix(i + 1);
    std::string value;
    if (!rest_.empty() && rest_.front() == '"') {
      if (!take_quoted(value)) return "the quotes are not closed";
    } else {
      while (!rest_.empty() && !is_blank(rest_.front())) {
        value += rest_.front();
        rest_.remove_prefix(1);
      }
    }
    if (value.empty()) return quoted(key) + " has no value";
    if (++conditions_ > Suppressions::kMostConditions) {
      return "more than " + std::to_string(Suppressions::kMostConditions) + " conditions";
    }
    return take(key, std::move(value));
  }

  std::string take(std::string_view key, std::string value) {
    if (key == "kind") return take_kind(value);
    if (key == "fingerprint") {
      if (!rule_.fingerprint.empty()) return "a finding has one fingerprint, not two";
      if (!is_fingerprint(value)) {
        return "a fingerprint is 16 hexadecimal digits, not " + quoted(value);
      }
      rule_.fingerprint = std::move(value);
    } else if (key == "function") {
      rule_.places.push_back({PlaceKind::kFunction, std::move(value)});
    } else if (key == "module") {
      rule_.places.push_back({PlaceKind::kModule, std::move(value)});
    } else if (key == "file") {
      rule_.places.push_back({PlaceKind::kFile, std::move(value)});
    } else {
      return quoted(key) + " is no condition" + choice(kKeys);
    }
    return "";
  }

  std::string take_kind(std::string_view word) {
    if (rule_.kind) return "a finding has one kind, not two";
    rule_.kind = finding_of_word(word);
    if (rule_.kind) return "";
    if (word == finding_word(FindingKind::kDump)) {
      return "a dump is what somebody asked for, not a finding";
    }
    std::array<std::string_view, kKinds.size()> words;
    std::transform(kKinds.begin(), kKinds.end(), words.begin(), finding_word);
    return quoted(word) + " is no kind" + choice(words);
  }

  std::string too_broad() const {
    if (!rule_.fingerprint.empty()) return "";
    if (rule_.places.empty()) {
      return "it names no place; add function=, module=, file= or fingerprint=";
    }
    std::string_view common;
    for (const PlaceGlob& place : rule_.places) {
      common = commonplace_in(place);
      if (common.empty()) return "";
    }
    return "too broad: " + quoted(rule_.places.back().glob) + " takes in " + quoted(common) +
           ", which is in every finding; name a place of the program too";
  }

  std::string_view rest_;
  SuppressionRule& rule_;
  std::size_t conditions_ = 0;
};

bool is_text(std::string_view text) {
  return text.find('\0') == std::string_view::npos;
}

}  // namespace

std::optional<FindingKind> finding_of_word(std::string_view word) {
  for (const FindingKind kind : kKinds) {
    if (word == finding_word(kind)) return kind;
  }
  return std::nullopt;
}

bool is_fingerprint(std::string_view text) {
  constexpr std::size_t kDigits = 16;
  return text.size() == kDigits && text.find_first_not_of("0123456789abcdef") == text.npos;
}

std::string rule_value(std::string_view value) {
  const bool plain =
      !value.empty() && value.front() != '"' && std::none_of(value.begin(), value.end(), is_blank);
  if (plain) return std::string(value);
  std::string text = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') text += '\\';
    text += c;
  }
  return text + '"';
}

Suppressions parse_suppressions(std::string_view text) {
  Suppressions result;
  std::size_t not_said = 0;
  const auto complain = [&](std::string sentence) {
    if (result.complaints.size() < Suppressions::kMostComplaints) {
      result.complaints.push_back(std::move(sentence));
    } else {
      ++not_said;
    }
  };
  if (!is_text(text)) {
    complain("it is no text");
    return result;
  }
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  for (std::uint32_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const std::string where = "line " + std::to_string(number) + ": ";
    if (result.rules.size() == Suppressions::kMostRules) {
      complain(where + "only the first " + std::to_string(Suppressions::kMostRules) +
               " rules count");
      break;
    }
    if (line.size() > kLongestLine) {
      complain(where + "it is longer than any rule");
      continue;
    }
    SuppressionRule rule;
    rule.line = number;
    rule.text = cut(printable(line), kLongestShown);
    const std::string wrong = RuleReader(line, rule).read();
    if (wrong.empty()) {
      result.rules.push_back(std::move(rule));
    } else {
      complain(where + wrong);
    }
  }
  if (not_said != 0) {
    result.complaints.push_back("and " + std::to_string(not_said) + " more lines like these");
  }
  return result;
}

}  // namespace impasse::report
