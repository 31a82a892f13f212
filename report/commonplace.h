// Places that every finding passes through: a lock primitive, the start of a thread, libc itself.
// A glob that takes in one of them holds always, and narrows nothing.
#pragma once

#include <string_view>

#include "report/suppressions.h"

namespace impasse::report {

// The place that it takes in; empty: none.
std::string_view commonplace_in(const PlaceGlob& place);

}  // namespace impasse::report
