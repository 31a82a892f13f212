// A circle of waits in words: who took what where, then asked for what where, and the usual way
// out.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "report/phrases.h"

namespace impasse::report {

// Of a deadlock or a self-deadlock.
std::vector<std::string> cycle_words(const Phrases& say);
// In one line of at most so many bytes, as far as that is possible.
std::string cycle_line(const Phrases& say, std::size_t most);

}  // namespace impasse::report
