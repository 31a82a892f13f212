// A circle of waits in words: who took what where, then asked for what where, and the usual way
// out.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "report/phrases.h"

namespace impasse::report {

// Of a deadlock or a self-deadlock.
bool is_refused(const Report& report);  // libc refused a relock: a circle in which nobody waits
std::string_view refused_wish(const Phrases& say);  // "asked for", "asked to read"

std::vector<std::string> cycle_words(const Phrases& say);
// In one line of at most so many bytes, as far as that is possible.
std::string cycle_line(const Phrases& say, std::size_t most);

}  // namespace impasse::report
