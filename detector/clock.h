// The watchdog's clock: time in which the watchdog itself got to run, so that a program that was
// stopped (SIGSTOP, a debugger, a paused machine) does not wake up to waits of eight hours.
#pragma once

#include <atomic>
#include <cstdint>

namespace impasse {

inline constexpr std::uint64_t kTickNs =
    10'000'000;  // a unit: 10 ms; 32 bits of them last 497 days

// What a lock stores as the start of its hold. Written by the watchdog only; alone in its line
// because every lock of every thread reads it.
struct alignas(64) PublishedTick {
  std::atomic<std::uint32_t> value{0};
};
extern constinit PublishedTick published_tick __attribute__((visibility("hidden")));

// Adds up the running time from the readings of a monotonic clock.
class RunningClock {
 public:
  // Goes on from `units`: stamps that were made before keep their meaning. 0 is left for "unknown".
  explicit RunningClock(std::uint64_t units = 1)
      : running_ns_((units == 0 ? 1 : units) * kTickNs) {}

  // One turn of the watchdog that meant to sleep `intended_ns`. A longer gap than four times that
  // (at least 250 ms) was not running time.
  void advance(std::uint64_t now_ns, std::uint64_t intended_ns);
  std::uint64_t units() const { return running_ns_ / kTickNs; }

 private:
  std::uint64_t last_ns_ = 0;
  std::uint64_t running_ns_;
};

}  // namespace impasse
