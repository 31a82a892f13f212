// The options as they stay for the whole process: what our threads, and its end, go by.
//
// Promises: kept once, before our threads begin; never torn down. Paths are absolute, as far as
// they fit: the program may change its directory later.
#pragma once

#include "options/options.h"
#include "witness/witness.h"

namespace impasse {

// As `text` gives them.
const Options& keep_options(const char* text, Complaints& complaints);
const Options& kept_options();
// What of them the witness has to know. May allocate.
witness::Settings settings_of_options();

}  // namespace impasse
