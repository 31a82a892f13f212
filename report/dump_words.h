// What a dump says in place of a verdict: how many threads do what.
#pragma once

#include <string>
#include <vector>

#include "report/phrases.h"

namespace impasse::report {

std::vector<std::string> dump_words(const Phrases& say);

}  // namespace impasse::report
