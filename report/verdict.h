// What was found, in a few lines of plain words: exact where the facts are, and not a word more.
#pragma once

#include <string>
#include <vector>

#include "report/phrases.h"

namespace impasse::report {

// "DEADLOCK", "LONG WAIT", …
std::string_view title(const Report& report);
// Paragraphs; a line that begins with spaces belongs to the one before it.
std::vector<std::string> verdict(const Phrases& say);
// One line, at most kLongestLine bytes: kind, threads, locks.
inline constexpr std::size_t kLongestLine = 300;
std::string verdict_line(const Phrases& say);

// How many wait behind the finding, and for how long the first of them has.
struct Crowd {
  std::size_t threads = 0;
  std::uint64_t longest_ns = 0;  // 0: not known
};
Crowd crowd_of(const Phrases& say);

}  // namespace impasse::report
