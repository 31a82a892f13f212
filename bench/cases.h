// The cases of cases.def, each a function that times itself with the session it is given.
#pragma once

#include "session.h"

namespace bench {

#define BENCH_CASE(name, limit, title) void name(Session& session);
#include "cases.def"
#undef BENCH_CASE

}  // namespace bench
