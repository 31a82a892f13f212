#include "detector/clock.h"

#include <algorithm>

namespace impasse {

constinit PublishedTick published_tick;

void RunningClock::advance(std::uint64_t now_ns, std::uint64_t intended_ns) {
  constexpr std::uint64_t kSlack = 250'000'000;
  if (last_ns_ != 0 && now_ns > last_ns_) {
    const std::uint64_t gap = now_ns - last_ns_;
    running_ns_ += gap > std::max(4 * intended_ns, kSlack) ? intended_ns : gap;
  }
  last_ns_ = now_ns;
}

}  // namespace impasse
