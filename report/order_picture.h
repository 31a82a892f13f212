// A circle of orders, drawn: from the lock that a thread had to the one that it took then, and back
// to the first.
//
// Promises: bounded in size however long the circle is.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "report/phrases.h"

namespace impasse::report {

// Lines without their indentation. Empty: there is nothing to draw.
std::vector<std::string> order_picture(const Phrases& say, std::size_t width);

}  // namespace impasse::report
