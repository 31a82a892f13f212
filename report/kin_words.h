// The threads of a stuck group one by one, or those that are alike together: what they keep from
// others, whom they used to wake, what they wait for now.
#pragma once

#include <string>
#include <vector>

#include "report/phrases.h"
#include "report/stuck_group.h"

namespace impasse::report {

// Lines that belong to the sentence before them; as many as a reader takes in, the rest counted.
std::vector<std::string> kin_lines(const Phrases& say, const StuckGroup& group);

std::string plural_verb(std::string text);  // "waits on" → "wait on", "wants" → "want"

}  // namespace impasse::report
