// One stack in lines: `function(...)`, below it a tab and `file:line +0x41`.
#pragma once

#include <cstddef>
#include <string>

#include "report/phrases.h"

namespace impasse::report {

// What happened in one frame of it.
struct FrameMark {
  std::size_t frame = kNobody;
  std::string words;
};

// With a newline at the end of each line. Empty: there is neither a frame nor a reason.
std::string stack_text(const Phrases& say, const symbolize::Stack& stack,
                       const FrameMark& mark = {});

}  // namespace impasse::report
