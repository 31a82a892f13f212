// Text with emphasis: marks in the text that become a terminal's colours, or nothing, at the end.
//
// Promises: the marks are control characters, which printable() lets nobody from outside write;
// columns() and cut() do not count them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace impasse::report {

struct TextStyle {
  bool colour = false;
  bool drawing = true;  // line drawing and arrows of Unicode; else their next of kin in ASCII
  std::size_t width = 100;
};

std::string bold(std::string_view text);
std::string red(std::string_view text);  // who is stuck
std::string dim(std::string_view text);  // what only a machine reads

// Places on a terminal's line, one for each character of UTF-8.
std::size_t columns(std::string_view text);
// With spaces at its end, up to so many columns.
std::string padded(std::string_view text, std::size_t width);
// The first characters of text without marks; "…" stands for what was cut off.
std::string cut(std::string_view text, std::size_t width);
std::string repeat(std::string_view text, std::size_t times);

// Marks become colours or vanish; line drawing becomes ASCII where it is not wanted.
std::string finished(std::string_view marked, const TextStyle& style);

}  // namespace impasse::report
