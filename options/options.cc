#include "options/options.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "options/nearest_name.h"

namespace impasse {
namespace {

constexpr std::string_view kNames[] = {
#define IMPASSE_OPTION(type, name, initial, values, help) #name,
#include "options/options.def"
#undef IMPASSE_OPTION
};
constexpr std::size_t kShownBytes = 48;  // of what the user wrote, in a complaint

// substr() without its exception: nothing here may refer to the C++ runtime.
std::string_view first(std::string_view text, std::size_t bytes) {
  return {text.data(), std::min(bytes, text.size())};
}
std::string_view after(std::string_view text, std::size_t bytes) {
  text.remove_prefix(std::min(bytes, text.size()));
  return text;
}

bool is_separator(char c) {
  return c == ' ' || c == ',' || c == '\t' || c == '\n' || c == '\r';
}

// ---- one reader per type: false means "no such value", and nothing changed

// False also when it does not fit in 64 bits.
bool read_number(std::string_view text, std::uint64_t& number) {
  if (text.empty()) return false;
  std::uint64_t n = 0;
  for (const char c : text) {
    if (c < '0' || c > '9') return false;
    if (__builtin_mul_overflow(n, 10u, &n) ||
        __builtin_add_overflow(n, static_cast<unsigned>(c - '0'), &n)) {
      return false;
    }
  }
  number = n;
  return true;
}

bool read(std::string_view text, std::string_view, Duration& duration) {
  struct Unit {
    std::string_view suffix;
    std::uint64_t ns;
  };
  // "ms" stands before "s": it ends in it.
  constexpr Unit kUnits[] = {
      {"ms", 1'000'000}, {"s", 1'000'000'000}, {"m", 60'000'000'000}, {"h", 3'600'000'000'000}};
  for (const Unit& unit : kUnits) {
    if (!text.ends_with(unit.suffix)) continue;
    std::uint64_t n = 0;
    if (!read_number(first(text, text.size() - unit.suffix.size()), n) || n == 0) return false;
    return !__builtin_mul_overflow(n, unit.ns, &duration.ns);
  }
  return false;
}

bool read(std::string_view text, std::string_view, Switch& on) {
  if (text != "on" && text != "off") return false;
  on = text == "on";
  return true;
}

// `range` is "least..most".
bool read(std::string_view text, std::string_view range, Count& count) {
  const std::size_t dots = range.find("..");
  std::uint64_t least = 0;
  std::uint64_t most = 0;
  std::uint64_t n = 0;
  if (!read_number(first(range, dots), least) || !read_number(after(range, dots + 2), most))
    return false;
  if (!read_number(text, n) || n < least || n > most) return false;
  count = static_cast<Count>(n);
  return true;
}

// `words` is "first|second|third"; the place of the text among them is the value.
template <typename Choice>
requires std::is_enum_v<Choice>
bool read(std::string_view text, std::string_view words, Choice& choice) {
  for (unsigned i = 0;; ++i) {
    const std::size_t bar = words.find('|');
    if (first(words, bar) == text) {
      choice = static_cast<Choice>(i);
      return true;
    }
    if (bar == std::string_view::npos) return false;
    words.remove_prefix(bar + 1);
  }
}

bool read(std::string_view text, std::string_view, Path& path) {
  return !text.empty() && path.assign(text);
}
bool read(std::string_view text, std::string_view, Target& target) {
  return !text.empty() && target.assign(text);
}
bool read(std::string_view text, std::string_view, List& list) {
  return list.assign(text);
}

// ---- what would have been right, in two pieces

std::string_view kind_of(const Duration&) {
  return "a duration such as ";
}
std::string_view kind_of(const Count&) {
  return "a number in ";
}
std::string_view kind_of(const Switch&) {
  return "";
}
template <typename Choice>
requires std::is_enum_v<Choice> std::string_view kind_of(const Choice&) {
  return "";
}
std::string_view kind_of(const Text&) {
  return "at most 1023 bytes: ";
}
static_assert(kTextBytes == 1024, "the sentence above says it");

std::string_view examples_of(const Duration&, std::string_view) {
  return "250ms, 10s, 5m or 1h";
}
template <typename Value>
std::string_view examples_of(const Value&, std::string_view values) {
  return values;
}

std::string_view shown(std::string_view text) {
  return first(text, kShownBytes);
}
std::string_view ellipsis(std::string_view text) {
  return text.size() > kShownBytes ? "..." : "";
}

template <typename Value>
void take(const OptionToken& token, std::string_view initial, std::string_view values, Value& value,
          Complaints& complaints) {
  if (token.has_value && !token.unclosed && read(token.value, values, value)) return;
  read(initial, values, value);
  if (!token.has_value) {
    complaints.add({"option '", token.key, "' has no value; expected ", token.key, "=", values,
                    "; using '", initial, "'"});
  } else if (token.unclosed) {
    complaints.add(
        {"the value of option '", token.key, "' has no closing quote; using '", initial, "'"});
  } else {
    complaints.add({"wrong value '", shown(token.value), ellipsis(token.value), "' for option '",
                    token.key, "'; expected ", kind_of(value), examples_of(value, values),
                    "; using '", initial, "'"});
  }
}

void complain_unknown(const OptionToken& token, Complaints& complaints) {
  const std::string_view nearest = nearest_name(token.key, kNames);
  if (!nearest.empty()) {
    complaints.add({"unknown option '", shown(token.key), ellipsis(token.key),
                    "' ignored; did you mean '", nearest, "'?"});
  } else {
    complaints.add({"unknown option '", shown(token.key), ellipsis(token.key),
                    "' ignored; impasse --help lists the known ones"});
  }
}

}  // namespace

bool Text::assign(std::string_view text) {
  if (text.size() >= kTextBytes || text.find('\0') != std::string_view::npos) return false;
  if (!text.empty()) std::memcpy(bytes_, text.data(), text.size());
  bytes_[text.size()] = '\0';
  size_ = text.size();
  return true;
}

bool List::contains(std::string_view name) const {
  std::string_view rest = view();
  if (rest.empty()) return false;
  if (rest == name) return true;  // a name with a '+' in it (g++), alone
  const char separator = rest.find(':') != std::string_view::npos ? ':' : '+';
  for (;;) {
    const std::size_t end = rest.find(separator);
    if (!name.empty() && first(rest, end) == name) return true;
    if (end == std::string_view::npos) return false;
    rest.remove_prefix(end + 1);
  }
}

bool next_token(std::string_view& rest, OptionToken& token) {
  while (!rest.empty() && is_separator(rest.front())) rest.remove_prefix(1);
  if (rest.empty()) return false;
  token = {};
  std::size_t i = 0;
  while (i < rest.size() && !is_separator(rest[i]) && rest[i] != '=') ++i;
  token.key = first(rest, i);
  if (i < rest.size() && rest[i] == '=') {
    token.has_value = true;
    ++i;
    if (i < rest.size() && rest[i] == '"') {
      const std::size_t end = rest.find('"', i + 1);
      token.unclosed = end == std::string_view::npos;
      token.value = first(after(rest, i + 1), token.unclosed ? end : end - i - 1);
      i = token.unclosed ? rest.size() : end + 1;
    } else {
      const std::size_t start = i;
      while (i < rest.size() && !is_separator(rest[i])) ++i;
      token.value = first(after(rest, start), i - start);
    }
  }
  token.whole = first(rest, i);
  rest.remove_prefix(i);
  return true;
}

Options parse(std::string_view text, Complaints& complaints) {
  Options options;
#define IMPASSE_OPTION(type, name, initial, values, help) read(initial, values, options.name);
#include "options/options.def"
#undef IMPASSE_OPTION

  OptionToken token;
  while (next_token(text, token)) {
#define IMPASSE_OPTION(type, name, initial, values, help)   \
  if (token.key == #name) {                                 \
    take(token, initial, values, options.name, complaints); \
    continue;                                               \
  }
#include "options/options.def"
#undef IMPASSE_OPTION
    complain_unknown(token, complaints);
  }
  return options;
}

}  // namespace impasse
