// The tally of calls that may block (call_tally.h), as plain values.
//
// Promises: any thread of the process, while others go on writing: an entry that is given to
// another key meanwhile is left out. What was done under a lock that is no more counts as done
// under several. May allocate.
#pragma once

#include <cstdint>
#include <vector>

#include "detector/blocking_call.h"
#include "detector/ledger.h"

namespace impasse {

// From one place of the program, while this lock was held.
struct CallFact {
  std::uint64_t lock = 0;  // 0: several, or one that is no more
  BlockingCall call{};
  std::uint64_t site = 0;       // program counter of the call
  std::uint64_t held_site = 0;  // ... of the one that took the lock, the last time
  std::uint64_t count = 0;
  std::uint64_t sum_ns = 0;
  std::uint64_t most_ns = 0;
  std::uint64_t last_ns = 0;  // CLOCK_MONOTONIC when the last one ended
};

// Each key once; those that took longest in all first.
std::vector<CallFact> read_own_calls(const Ledger& ledger);

}  // namespace impasse
