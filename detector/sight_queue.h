// Orders on their way from the threads that met them to our own thread: a bounded table of records.
//
// Promises: lock-free, no allocation; memory is taken into use with the first order, one record at
// a time, and a record that is free again is the next to be used. A thread that finds none is
// counted and has to remember nothing: it meets the order again. Costs: a refusal reads one word
// and counts; a claim some tens of nanoseconds.
#pragma once

#include <cstdint>
#include <span>

#include "detector/ledger.h"
#include "detector/order_sight.h"

namespace impasse {

class SightQueue {
 public:
  explicit SightQueue(Ledger& ledger) : ledger_(ledger) {}

  // ---- a thread of the program
  // Whether there is no record now; counted if so. The cheapest way to be refused.
  bool refuses() {
    const bool full =
        ledger_.header().sights_taken.load(std::memory_order_relaxed) >= ledger_.sight_capacity();
    if (full) postpone();
    return full;
  }
  // A record to fill in; null: there is none (counted). Then tell() or discard().
  RawSight* claim();
  // True, once until each(): the table is half full, and our own thread had better come soon.
  bool tell(RawSight& sight);
  void discard(RawSight& sight) { release(sight); }

  // ---- our own thread
  // Each that was told, as visit(const RawSight&), in no order; then its record is free.
  template <typename Visit>
  void each(Visit visit) {
    each_while(0, [&](const RawSight& sight) {
      visit(sight);
      return true;
    });
  }
  // The same until visit() returns false: that one stays. All round from the record `first`; where
  // to go on the next time.
  template <typename Visit>
  std::uint64_t each_while(std::uint64_t first, Visit visit) {
    if (!any()) return 0;
    ledger_.header().sights_hurried.store(0, std::memory_order_relaxed);
    const std::uint64_t used = ledger_.header().sights_used.load(std::memory_order_acquire);
    for (std::uint64_t i = 0; i < used; ++i) {
      const std::uint64_t number = (first + i) % used;
      RawSight& sight = ledger_.sight(number);
      if (sight.stage.load(std::memory_order_acquire) != kSightTold) continue;
      if (!visit(static_cast<const RawSight&>(sight))) return number;
      release(sight);
    }
    return 0;
  }
  bool any() const { return ledger_.header().sights_taken.load(std::memory_order_relaxed) != 0; }

 private:
  // Not exact where threads are refused at once: an atomic sum would cost them more than the rest
  // of the refusal.
  void postpone() {
    std::atomic<std::uint64_t>& count = ledger_.header().counters[k_order_sights_postponed];
    count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  }
  RawSight* open_place();
  void release(RawSight& sight);

  Ledger& ledger_;
};

// The facts of a record, without its stack. May allocate.
OrderSight sight_of(const RawSight& raw);
// The stack as it was from registers[kRsp] up, as far as it was copied.
inline std::span<const std::uint8_t> stack_of(const RawSight& raw) {
  return {raw.stack, raw.stack_bytes <= kSightStackBytes ? raw.stack_bytes : 0};
}

}  // namespace impasse
