// One call in one line: what it returned, and what became of errno.
#pragma once

#include "support/driver.h"
#include "support/observed.h"

namespace transparency {

inline void say_outcome(const char* what, const Observed& seen) {
  say("%s: %d, %s", what, seen.result, seen.errno_text());
}

}  // namespace transparency
