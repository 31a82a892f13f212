// Whether anybody waits, and whether the picture of those who have waited for a while is another
// one than before: one cheap pass over the slots, made at every tick.
//
// Costs: two or three cache lines a thread, fetched ahead; no allocation.
#pragma once

#include <cstdint>

#include "detector/ledger.h"

namespace impasse {

struct WaitScan {
  std::uint32_t waits = 0;  // for locks and for threads' ends
  std::uint32_t young = 0;  // those that began lately: one of them may just have closed a circle
  std::uint32_t late = 0;   // those that have lasted for `late_ticks`

  // Of waits without a time limit that have lasted for kLastingNs (stuck_set.h):
  std::uint32_t for_others = 0;  // on conditions, semaphores and barriers
  // Who is in one, in which, and which threads there are: the same, the same picture.
  std::uint64_t picture = 0;
};

WaitScan scan_waits(const Ledger& ledger, std::uint64_t tick, std::uint64_t late_ticks);

}  // namespace impasse
