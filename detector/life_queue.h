// Beginnings, ends and joins of threads on their way to our own thread, in the order in which they
// were told: a bounded ring.
//
// Promises: lock-free, no allocation; memory is taken into use a page at a time as the ring first
// goes round. One that finds no room is counted (k_lives_dropped): whoever reads the ring compares
// that count before he trusts that he knows of all. Costs: some tens of nanoseconds.
//
// A thread's handle may serve another thread as soon as it was joined, and that one's beginning may
// be told before this one's join. Joins of one handle come in the order of the lives that it had: a
// join is of the oldest thread with that handle that has ended and was not joined yet.
#pragma once

#include <cstdint>

#include "detector/ledger.h"
#include "detector/order_sight.h"

namespace impasse {

class LifeQueue {
 public:
  explicit LifeQueue(Ledger& ledger) : ledger_(ledger) {}

  // Any thread. True: with this one the ring has become half full.
  bool tell(const LifeEvent& event);

  // Our own thread: each that was told, as visit(const LifeEvent&). A thread that was interrupted
  // while it told holds up those after it until the next time.
  template <typename Visit>
  void each(Visit visit) {
    LifeEvent event;
    while (hear(event)) visit(static_cast<const LifeEvent&>(event));
  }
  // So many found no room, ever.
  std::uint64_t lost() const {
    return ledger_.header().counters[k_lives_dropped].load(std::memory_order_acquire);
  }

 private:
  bool open(std::uint64_t place);
  bool hear(LifeEvent& event);

  Ledger& ledger_;
};

}  // namespace impasse
