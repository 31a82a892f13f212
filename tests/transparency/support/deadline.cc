#include "support/deadline.h"

namespace transparency {
namespace {

constexpr long kSecond = 1'000'000'000;
constexpr long kNearNanoseconds = 2'000'000;

constexpr NamedWhen kEveryWhen[] = {
    {"past", When::kPast},
    {"near", When::kNear},
    {"nsec=1e9", When::kNanosecondsTooMany},
    {"nsec=-1", When::kNanosecondsNegative},
    {"sec=-1", When::kSecondsNegative},
};

}  // namespace

std::span<const NamedWhen> every_when() {
  return kEveryWhen;
}

timespec deadline(clockid_t clock, When when) {
  timespec time{};
  clock_gettime(clock, &time);
  switch (when) {
    case When::kPast:
      time.tv_sec -= 1;
      break;
    case When::kNear:
      time.tv_nsec += kNearNanoseconds;
      if (time.tv_nsec >= kSecond) {
        time.tv_sec += 1;
        time.tv_nsec -= kSecond;
      }
      break;
    case When::kFar:
      time.tv_sec += 3600;
      break;
    case When::kNanosecondsTooMany:
      time.tv_nsec = kSecond;
      break;
    case When::kNanosecondsNegative:
      time.tv_nsec = -1;
      break;
    case When::kSecondsNegative:
      time.tv_sec = -1;
      break;
  }
  return time;
}

}  // namespace transparency
