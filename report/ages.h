// How long ago something was, and how exactly that is known; times as a reader likes to read them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "report/facts.h"

namespace impasse::report {

// The watchdog publishes its clock every 100 ms when it gets to run in time: what was stamped with
// it is known to about this much.
inline constexpr std::uint64_t kStampStepNs = 100'000'000;
// A live process whose watchdog published nothing for so long has a clock that stands still.
inline constexpr std::uint64_t kStandstillNs = 2'000'000'000;

// "0.4ms", "250ms", "2.3s", "5m 12s", "3h 12m", "2d 3h": cut off, not rounded up.
std::string duration(std::uint64_t ns);
// "2026-11-13 00:41:53.320 UTC"
std::string wall_time(std::uint64_t wall_ns);
// "2026-11-13T00:41:53.320Z"
std::string iso_time(std::uint64_t wall_ns);

class Ages {
 public:
  explicit Ages(const Facts& facts);

  // Since an instant of CLOCK_MONOTONIC. For a process that is gone: at the last sign of life of
  // its watchdog. Nothing: not known.
  std::optional<std::uint64_t> since(std::uint64_t monotonic_ns) const;
  // Since a stamp of the watchdog's clock; good to kStampStepNs.
  std::optional<std::uint64_t> since_tick(std::uint32_t tick) const;

  // How long the watchdog's clock has stood still, if it does.
  std::optional<std::uint64_t> standstill() const;

 private:
  std::uint64_t now_ns_;
  std::uint64_t tick_;
  std::uint64_t tick_ns_;
  std::uint64_t last_turn_ns_;
  bool alive_;
};

// A stamped age: "less than 200ms", "about 2.3s"; plain where its step is below the last digit.
std::string about(std::uint64_t stamped_ns);
// ", for about 2.3s"; nothing for an age that is not known.
std::string for_about(std::optional<std::uint64_t> stamped_ns);

}  // namespace impasse::report
