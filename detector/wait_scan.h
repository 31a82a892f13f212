// Whether anybody waits for a lock: one cheap pass over the slots, made at every tick.
//
// Costs: two or three cache lines a thread, fetched ahead; no allocation.
#pragma once

#include <cstdint>

#include "detector/ledger.h"

namespace impasse {

struct WaitScan {
  std::uint32_t waits = 0;  // for locks and for threads' ends
  std::uint32_t young = 0;  // those that began lately: one of them may just have closed a circle
};

WaitScan scan_waits(const Ledger& ledger, std::uint64_t tick);

}  // namespace impasse
