// Threads that were signalled and now wait, within libc's wait for a condition, for its mutex:
// their record says "condition", and what keeps them is a lock.
//
// Promises: decides by its arguments alone; remembers one sight for each such thread, for as long
// as its wait lasts. Used by one thread. Costs: nothing while nobody waits for a condition; the
// kernel is asked only about threads whose mutex is held by a thread that waits itself, or behind
// whom others wait, and about kMostLookedAt in one look.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "detector/lock_probe.h"
#include "detector/snapshot.h"

namespace impasse {

class Retakes {
 public:
  static constexpr std::size_t kMostLookedAt = 64;

  // Such a wait becomes what it is: one for the mutex, without a time limit (libc takes it again
  // without one), since it was first seen, with its sequence number as before. Who is seen in it
  // once stays in it until that number changes: libc does nothing else between taking the mutex
  // again and the wait's end.
  void look(Snapshot& snapshot, SleepProbe sleep);

 private:
  struct Sight {
    std::uint64_t sequence = 0;
    std::uint64_t tick = 0;
    std::uint64_t looked_at = 0;  // number of the look
  };
  std::vector<std::uint32_t> unknown_ones(Snapshot& snapshot);

  std::unordered_map<std::uint64_t, Sight> sights_;  // by slot
  std::uint64_t looks_ = 0;
  std::size_t first_ = 0;  // where the next look begins, when there are too many for one
};

}  // namespace impasse
