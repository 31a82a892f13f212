#include "report/ink.h"

#include <algorithm>
#include <array>
#include <utility>

#include "report/words.h"

namespace impasse::report {
namespace {

enum Mark : char { kBold = '\x01', kRed = '\x02', kDim = '\x03', kPlain = '\x04' };

std::string marked(Mark mark, std::string_view text) {
  std::string out(1, mark);
  out += text;
  out += static_cast<char>(kPlain);
  return out;
}

std::string_view colour(char mark) {
  switch (mark) {
    case kBold:
      return "\x1b[1m";
    case kRed:
      return "\x1b[1;31m";
    case kDim:
      return "\x1b[2m";
    default:
      return "\x1b[0m";
  }
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kPlainDrawing = {{
    {"─", "-"},
    {"│", "|"},
    {"├", "|"},
    {"└", "`"},
    {"┌", "."},
    {"┐", "."},
    {"┘", "'"},
    {"▶", ">"},
    {"◀", "<"},
    {"▲", "^"},
    {"▼", "v"},
    {"→", "->"},
    {"←", "<-"},
    {"…", "..."},
    {"·", "-"},
    {"“", "\""},
    {"”", "\""},
    {"–", "-"},
}};

std::string_view in_ascii(std::string_view character) {
  const auto found = std::find_if(kPlainDrawing.begin(), kPlainDrawing.end(),
                                  [character](const auto& row) { return row.first == character; });
  return found == kPlainDrawing.end() ? character : found->second;
}

std::size_t character_length(std::string_view text) {
  return std::max<std::size_t>(1, utf8_length(text));
}

bool is_mark(char c) {
  return c >= kBold && c <= kPlain;
}

}  // namespace

std::string bold(std::string_view text) {
  return marked(kBold, text);
}
std::string red(std::string_view text) {
  return marked(kRed, text);
}
std::string dim(std::string_view text) {
  return marked(kDim, text);
}

std::size_t columns(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return !is_mark(c) && (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

std::string padded(std::string_view text, std::size_t width) {
  const std::size_t used = columns(text);
  return std::string(text) + std::string(used < width ? width - used : 0, ' ');
}

std::string cut(std::string_view text, std::size_t width) {
  if (text.size() <= width || columns(text) <= width) return std::string(text);
  std::size_t bytes = 0;
  for (std::size_t i = 1; i < width && bytes < text.size(); ++i) {
    bytes += character_length(text.substr(bytes));
  }
  return std::string(text.substr(0, bytes)) + "…";
}

std::string repeat(std::string_view text, std::size_t times) {
  std::string out;
  out.reserve(text.size() * times);
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

std::string finished(std::string_view text, const TextStyle& style) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::size_t length = character_length(text);
    const std::string_view character = text.substr(0, length);
    if (is_mark(text.front())) {
      if (style.colour) out += colour(text.front());
    } else if (length == 1 || style.drawing) {
      out += character;
    } else {
      out += in_ascii(character);
    }
    text.remove_prefix(length);
  }
  return out;
}

}  // namespace impasse::report
