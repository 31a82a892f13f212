// The points in time that the timed calls are tried with. Each is named for what it makes a call
// do that cannot have its lock: "near" comes soon enough to wait for, "far" never comes.
#pragma once

#include <time.h>

#include <span>

namespace transparency {

enum class When { kPast, kNear, kFar, kNanosecondsTooMany, kNanosecondsNegative, kSecondsNegative };

struct NamedWhen {
  const char* name;
  When when;
};

std::span<const NamedWhen> every_when();

timespec deadline(clockid_t clock, When when);

}  // namespace transparency
