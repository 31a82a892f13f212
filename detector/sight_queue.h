// Orders on their way from the threads that met them to our own thread: a bounded table of records.
//
// Promises: lock-free, no allocation; memory is taken into use with the first order, of each record
// as much as is needed, and a record that is free again is the next to be used. Our own thread
// readies what it frees, and some more: who tells seldom has to ask the kernel. A thread that finds
// no record has to remember nothing: it meets the order again. Costs: a refusal reads one line; a
// claim some tens of nanoseconds, and where the memory is not there yet 2.5 us a page.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

#include "detector/ledger.h"
#include "detector/order_sight.h"

namespace impasse {

class SightQueue {
 public:
  explicit SightQueue(Ledger& ledger) : ledger_(ledger) {}

  // ---- a thread of the program
  // Whether there is no record now. The cheapest way to be refused.
  bool refuses() {
    const bool full =
        ledger_.header().sights_taken.load(std::memory_order_relaxed) >= ledger_.sight_capacity();
    if (full) postpone();
    return full;
  }
  // A record to fill in, of which the first page is ready; null: there is none. Then tell() or
  // discard().
  RawSight* claim();
  // So many bytes after the fixed part are to be written. How many may be.
  std::size_t ready(RawSight& sight, std::size_t bytes);
  // True, once until each(): the table is half full or few records are ready, and our own thread
  // had better come soon.
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
    ledger_.header().sights_refused.store(0, std::memory_order_relaxed);
    const std::uint64_t used = ledger_.header().sights_used.load(std::memory_order_acquire);
    for (std::uint64_t i = 0; i < used; ++i) {
      const std::uint64_t number = (first + i) % used;
      RawSight& sight = ledger_.sight(number);
      if (sight.stage.load(std::memory_order_acquire) != kSightTold) continue;
      if (!visit(static_cast<const RawSight&>(sight))) return number;
      if (number < kept_ready()) ready(sight, sizeof sight.rest);
      release(sight);
    }
    open_ahead();
    return 0;
  }
  // Each that was told, and stays: for the end of a process.
  template <typename Visit>
  void each_left(Visit visit) const {
    const std::uint64_t used = ledger_.header().sights_used.load(std::memory_order_acquire);
    for (std::uint64_t i = 0; i < used; ++i) {
      const RawSight& sight = ledger_.sight(i);
      if (sight.stage.load(std::memory_order_acquire) == kSightTold) visit(sight);
    }
  }
  bool any() const { return ledger_.header().sights_taken.load(std::memory_order_relaxed) != 0; }

 private:
  // So many free records our own thread keeps ready: 16 of 256, a quarter of a mebibyte. More serve
  // in need, and keep what memory they had then.
  std::uint64_t kept_ready() const {
    return std::min<std::uint64_t>(ledger_.sight_capacity() / 4, 16);
  }
  // Counted once until our own thread comes.
  void postpone() {
    std::atomic<std::uint64_t>& refused = ledger_.header().sights_refused;
    if (refused.load(std::memory_order_relaxed) == 0 &&
        refused.exchange(1, std::memory_order_relaxed) == 0) {
      ledger_.count(k_order_sights_postponed);
    }
  }
  RawSight* open_place();
  void open_ahead();
  void put_on_list(RawSight& sight);
  void release(RawSight& sight);

  Ledger& ledger_;
};

// ---- what stands behind the fixed part of a record

inline RawSightedLock* held_in(RawSight& raw) {
  return reinterpret_cast<RawSightedLock*>(raw.rest);
}
inline const RawSightedLock* held_in(const RawSight& raw) {
  return reinterpret_cast<const RawSightedLock*>(raw.rest);
}
// Room for the stack where so many locks are held: kSightedLocks at most.
inline std::size_t stack_room(std::size_t held) {
  return std::min(kSightStackBytes, sizeof(RawSight::rest) - held * sizeof(RawSightedLock));
}

// The facts of a record, without its stack. May allocate. Without what is held where the record
// makes no sense.
OrderSight sight_of(const RawSight& raw);
// The stack as it was from registers[kRsp] up, as far as it was copied.
inline std::span<const std::uint8_t> stack_of(const RawSight& raw) {
  const std::size_t held = raw.held_count;
  if (held > kSightedLocks || raw.stack_bytes > stack_room(held)) return {};
  return {raw.rest + held * sizeof(RawSightedLock), raw.stack_bytes};
}

}  // namespace impasse
