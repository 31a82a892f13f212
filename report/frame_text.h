// One stack in lines: `function(...)`, below it a tab and `file:line +0x41`.
#pragma once

#include <string>

#include "report/phrases.h"

namespace impasse::report {

// With a newline at the end of each line. Empty: there is neither a frame nor a reason.
std::string stack_text(const Phrases& say, const symbolize::Stack& stack);

}  // namespace impasse::report
