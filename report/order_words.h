// A circle of orders in words: who took what and then what, where; what that may come to, and what
// weakens it; the usual way out.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "report/phrases.h"

namespace impasse::report {

// Of a lock_order finding.
std::vector<std::string> order_words(const Phrases& say);
// In one line of at most so many bytes, as far as that is possible.
std::string order_line(const Phrases& say, std::size_t most);

}  // namespace impasse::report
