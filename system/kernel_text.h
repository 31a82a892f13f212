// Words and numbers in the texts that the kernel writes.
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <string_view>

namespace impasse::system {

// The next word, taken off; words are parted by spaces and newlines.
inline std::string_view take_word(std::string_view& rest) {
  rest.remove_prefix(std::min(rest.find_first_not_of(" \n"), rest.size()));
  const std::string_view word = rest.substr(0, rest.find_first_of(" \n"));
  rest.remove_prefix(word.size());
  return word;
}

inline std::string_view column(std::string_view line, std::size_t which) {
  std::string_view word;
  for (std::size_t i = 0; i <= which; ++i) word = take_word(line);
  return word;
}

// The whole text is a number; "0x" before one in base 16 is allowed.
template <typename Number>
bool parse_number(std::string_view text, int base, Number& value) {
  if (base == 16 && text.starts_with("0x")) text.remove_prefix(2);
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

// A number at the beginning, after blanks; anything may follow.
template <typename Number>
bool leading_number(std::string_view text, Number& value) {
  text.remove_prefix(std::min(text.find_first_not_of(" \t"), text.size()));
  return std::from_chars(text.data(), text.data() + text.size(), value).ec == std::errc();
}

// What follows `name` where that begins a line, up to the end of the whole text.
inline std::string_view after_name(std::string_view text, std::string_view name) {
  for (std::size_t at = text.find(name); at != std::string_view::npos;
       at = text.find(name, at + 1)) {
    if (at == 0 || text[at - 1] == '\n') return text.substr(at + name.size());
  }
  return {};
}

// The value in the line of that name.
inline std::string_view field(std::string_view text, std::string_view name) {
  std::string_view value = after_name(text, name);
  value = value.substr(0, value.find('\n'));
  value.remove_prefix(std::min(value.find_first_not_of(" \t"), value.size()));
  return value;
}

}  // namespace impasse::system
