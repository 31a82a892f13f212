// One turn of the watchdog: what it keeps up to date in the ledger. Knows no thread, no clock, no
// file: they are handed to it.
#pragma once

#include <cstdint>

#include "detector/clock.h"
#include "detector/ledger.h"

namespace impasse {

// What the watchdog may ask about a thread of the process.
struct ThreadProbe {
  bool (*alive)(std::uint32_t tid);
  // The name as the kernel has it, 0-terminated. False: not to be had.
  bool (*name)(std::uint32_t tid, char (&text)[kNameBytes]);
};

class Watchdog {
 public:
  Watchdog(Ledger& ledger, const ThreadProbe& probe)
      : ledger_(ledger),
        probe_(probe),
        clock_(published_tick.value.load(std::memory_order_relaxed)) {}

  // `intended_ns`: how long it meant to sleep before this turn.
  void turn(std::uint64_t now_ns, std::uint64_t intended_ns);
  // How long to sleep until the next.
  std::uint64_t pause_ns() const;

 private:
  void learn_names();
  void reap(std::uint64_t now_ns);

  Ledger& ledger_;
  ThreadProbe probe_;
  RunningClock clock_;
  std::uint64_t next_reap_ns_ = 0;
  std::uint64_t next_slot_ = 0;  // where learn_names() goes on
};

}  // namespace impasse
