#include "report/baseline.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "report/json_writer.h"
#include "report/suppressions.h"
#include "report/words.h"

namespace impasse::report {
namespace {

constexpr unsigned kDeepest = 32;
constexpr std::size_t kLongestText = 4'096;

// As much of JSON as a baseline has; values that are not asked for are passed over.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool take(char wanted) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != wanted) return false;
    ++at_;
    return true;
  }
  bool at_end() {
    skip_blanks();
    return at_ == text_.size();
  }

  // Escapes of \u become a question mark: no word that matters has one.
  bool string(std::string& value) {
    value.clear();
    if (!take('"')) return false;
    while (at_ < text_.size() && text_[at_] != '"') {
      char c = text_[at_++];
      if (static_cast<unsigned char>(c) < ' ') return false;
      if (c == '\\') {
        if (at_ >= text_.size() || !unescape(text_[at_++], c)) return false;
      }
      if (value.size() < kLongestText) value += c;
    }
    if (at_ >= text_.size()) return false;
    ++at_;
    return true;
  }

  bool skip_value(unsigned depth) {
    if (depth > kDeepest) return false;
    std::string unused;
    if (peek() == '"') return string(unused);
    if (take('{')) {
      return each('}', [&] { return string(unused) && take(':') && skip_value(depth + 1); });
    }
    if (take('[')) {
      return each(']', [&] { return skip_value(depth + 1); });
    }
    return skip_word();
  }

  // The members between brackets, of which the first was taken.
  template <typename Member>
  bool each(char closing, Member member) {
    if (take(closing)) return true;
    do {
      if (!member()) return false;
    } while (take(','));
    return take(closing);
  }

 private:
  char peek() {
    skip_blanks();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  void skip_blanks() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\t' || text_[at_] == '\n' || text_[at_] == '\r')) {
      ++at_;
    }
  }
  bool unescape(char escape, char& c) {
    constexpr std::string_view kEscapes = "\"\\/bfnrt";
    constexpr std::string_view kMeant = "\"\\/\b\f\n\r\t";
    if (escape == 'u') {
      constexpr std::size_t kDigits = 4;
      if (text_.size() - at_ < kDigits) return false;
      const std::string_view digits = text_.substr(at_, kDigits);
      if (digits.find_first_not_of("0123456789abcdefABCDEF") != digits.npos) return false;
      at_ += kDigits;
      c = '?';
      return true;
    }
    const std::size_t which = kEscapes.find(escape);
    if (which == kEscapes.npos) return false;
    c = kMeant[which];
    return true;
  }
  // true, false, null, a number.
  bool skip_word() {
    skip_blanks();
    const std::size_t start = at_;
    const auto is_part = [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || c == 'E' || c == '-' || c == '+' ||
             c == '.';
    };
    while (at_ < text_.size() && is_part(text_[at_])) ++at_;
    return at_ != start;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

class BaselineReader {
 public:
  explicit BaselineReader(std::string_view json) : in_(json) {}

  Baseline read(std::string& problem) {
    const bool whole = in_.take('{') && in_.each('}', [this] { return member(); }) && in_.at_end();
    if (!problem_.empty()) {
      problem = problem_;
    } else if (!whole) {
      problem = "it is no JSON, or not all of it is there";
    } else if (schema_ != kBaselineSchema) {
      problem = schema_.empty() ? "it has no schema; impasse baseline makes such files"
                                : "its schema is '" + printable(schema_) + "', not " +
                                      std::string(kBaselineSchema);
    } else if (!has_findings_) {
      problem = "it has no list of findings";
    }
    return problem.empty() ? std::move(result_) : Baseline();
  }

 private:
  bool member() {
    std::string key;
    if (!in_.string(key) || !in_.take(':')) return false;
    if (key == "schema") return in_.string(schema_);
    if (key != "findings") return in_.skip_value(0);
    has_findings_ = true;
    return in_.take('[') && in_.each(']', [this] { return finding(); });
  }

  bool finding() {
    KnownFinding known;
    const auto field = [&] {
      std::string key;
      if (!in_.string(key) || !in_.take(':')) return false;
      if (key == "fingerprint") return in_.string(known.fingerprint);
      if (key == "kind") return in_.string(known.kind);
      if (key == "note") return in_.string(known.note);
      return in_.skip_value(0);
    };
    if (!in_.take('{') || !in_.each('}', field)) return false;
    if (!is_fingerprint(known.fingerprint)) {
      problem_ = "a finding in it has no fingerprint of 16 hexadecimal digits";
      return false;
    }
    entries_ += 1;
    if (entries_ > Baseline::kMost) problem_ = "it has too many findings";
    if (problem_.empty()) result_.add(std::move(known));
    return problem_.empty();
  }

  Scanner in_;
  Baseline result_;
  std::string schema_;
  std::string problem_;
  std::size_t entries_ = 0;
  bool has_findings_ = false;
};

}  // namespace

bool Baseline::has(std::string_view fingerprint) const {
  const auto at = std::lower_bound(
      findings_.begin(), findings_.end(), fingerprint,
      [](const KnownFinding& one, std::string_view wanted) { return one.fingerprint < wanted; });
  return at != findings_.end() && at->fingerprint == fingerprint;
}

bool Baseline::add(KnownFinding finding) {
  const auto at = std::lower_bound(findings_.begin(), findings_.end(), finding,
                                   [](const KnownFinding& one, const KnownFinding& other) {
                                     return one.fingerprint < other.fingerprint;
                                   });
  if (at != findings_.end() && at->fingerprint == finding.fingerprint) return true;
  if (findings_.size() >= kMost) return false;
  findings_.insert(at, std::move(finding));
  return true;
}

Baseline read_baseline(std::string_view json, std::string& problem) {
  problem.clear();
  return BaselineReader(json).read(problem);
}

std::string baseline_json(const Baseline& baseline) {
  JsonWriter out;
  out.begin_object();
  out.text("schema", kBaselineSchema);
  out.begin_array("findings");
  for (const KnownFinding& known : baseline.findings()) {
    out.begin_row();
    out.text("fingerprint", known.fingerprint);
    out.text("kind", known.kind);
    out.text("note", known.note);
    out.end_object();
  }
  out.end_array();
  out.end_object();
  return out.take();
}

}  // namespace impasse::report
