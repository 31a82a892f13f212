// A group of threads that only each other could wake, in words: who waits for what, who used to end
// such waits and what keeps them now, how sure that is, and the usual ways out.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "report/phrases.h"

namespace impasse::report {

// Of a stuck condition, or of all asleep.
std::vector<std::string> stuck_words(const Phrases& say);
// In one line of at most so many bytes, as far as that is possible.
std::string stuck_line(const Phrases& say, std::size_t most);

}  // namespace impasse::report
