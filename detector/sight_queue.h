// Orders on their way from the threads that met them to our own thread: a bounded table of records.
//
// Promises: lock-free, no allocation; a record that is free again is the next to be used, and its
// tail is taken into use when something does not fit into the record. Our own thread readies some
// before the first order and more while many come, so that who tells seldom has to ask the kernel;
// when it is quiet it gives back what a rest does not need. A thread that finds no record has to
// remember nothing: it meets the order again. Costs: a refusal reads one line; a claim some tens of
// nanoseconds, and where the memory is not there yet some microseconds, seen up to 40, for four.
//
// INV-SIGHT-1: who takes a record off the list has counted itself in `sights_taken` before, and
// counts itself out after the record is back. Where that number is 0 nobody looks at any record but
// our own thread, and as long as our own thread then keeps it at the capacity nobody begins to.
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
  // A record to fill in; null: there is none. Then ready(), and tell() or discard().
  RawSight* claim();
  // So many bytes are to be written to rest_of(). How many may be.
  std::size_t ready(RawSight& sight, std::size_t bytes);
  // True, once until each(): the table is half full or few records are ready, and our own thread
  // had better come soon.
  bool tell(RawSight& sight);
  void discard(RawSight& sight) { release(sight); }

  // ---- our own thread: always through the same object
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
      expect_more();
      const std::uint64_t number = (first + i) % used;
      if (is_unreadable(number)) continue;
      RawSight& sight = ledger_.sight(number);
      if (sight.stage.load(std::memory_order_acquire) != kSightTold) continue;
      if (!visit(static_cast<const RawSight&>(sight))) return number;
      release(sight);
    }
    return 0;
  }
  // Before the first order is told.
  void prepare() { open_ahead(4 * kept_ready()); }
  // Somebody told lately: more is to be expected.
  void expect_more() {
    if (few_ready()) open_ahead(ready_in_burst());
  }
  // Gives back the memory of the last records, a part of those beyond the first `kept`. True: it is
  // to be called again, now. False: there are no more than these, or one of them is in use. While
  // it sorts what stays, some microseconds, everybody is refused.
  bool give_back(std::uint64_t kept, GiveBack how);
  // So many serve a program that tells now and then: 8 of 256, with what memory they have.
  std::uint64_t kept_ready() const {
    return std::min<std::uint64_t>(ledger_.sight_capacity() / 4, 8);
  }
  // Each that was told, and stays: for the end of a process.
  template <typename Visit>
  void each_left(Visit visit) const {
    const std::uint64_t used = ledger_.header().sights_used.load(std::memory_order_acquire);
    for (std::uint64_t i = 0; i < used; ++i) {
      if (is_unreadable(i)) continue;
      const RawSight& sight = ledger_.sight(i);
      if (sight.stage.load(std::memory_order_acquire) == kSightTold) visit(sight);
    }
  }
  bool any() const { return ledger_.header().sights_taken.load(std::memory_order_relaxed) != 0; }

  // ---- what belongs to a record, wherever it stands
  std::span<std::uint8_t> rest_of(RawSight& sight) const {
    return sight.in_tail != 0 ? std::span<std::uint8_t>(ledger_.sight_tail(number_of(sight)).rest)
                              : std::span<std::uint8_t>(sight.rest);
  }
  std::span<const std::uint8_t> rest_of(const RawSight& sight) const {
    return sight.in_tail != 0
               ? std::span<const std::uint8_t>(ledger_.sight_tail(number_of(sight)).rest)
               : std::span<const std::uint8_t>(sight.rest);
  }

 private:
  struct Range {
    std::uint64_t first = 0;
    std::uint64_t count = 0;
  };

  // So many our own thread readies while many tell.
  std::uint64_t ready_in_burst() const { return ledger_.sight_capacity() / 4; }
  bool few_ready() const {
    const LedgerHeader& header = ledger_.header();
    const std::uint64_t used = header.sights_used.load(std::memory_order_relaxed);
    const std::uint64_t taken = header.sights_taken.load(std::memory_order_relaxed);
    // A program that tells now and then leaves our own thread asleep.
    const std::uint64_t kept = kept_ready();
    const std::uint64_t few = std::clamp(used - std::min(used, kept), kept / 4, 2 * kept);
    return used < ledger_.sight_capacity() && used < taken + few;
  }
  // Counted once until our own thread comes.
  void postpone() {
    std::atomic<std::uint64_t>& refused = ledger_.header().sights_refused;
    if (refused.load(std::memory_order_relaxed) == 0 &&
        refused.exchange(1, std::memory_order_relaxed) == 0) {
      ledger_.count(k_order_sights_postponed);
    }
  }
  std::atomic<std::uint32_t>& next_free(std::uint32_t number) const {
    return ledger_.sight(number).next_free;
  }
  std::uint64_t number_of(const RawSight& sight) const {
    return static_cast<std::uint64_t>(&sight - &ledger_.sight(0));
  }
  bool is_unreadable(std::uint64_t number) const {
    return number - unreadable_.first < unreadable_.count;
  }
  RawSight* pop();
  bool open(Range range) const;
  RawSight* open_some();
  void open_ahead(std::uint64_t wanted);
  Range next_ahead(std::uint64_t wanted);
  void put_on_list(RawSight& sight);
  void release(RawSight& sight);

  Ledger& ledger_;
  Range unreadable_;  // records that no memory could be had for
};

// ---- what stands in rest_of(): the locks, then the stack

inline RawSightedLock* held_in(std::span<std::uint8_t> rest) {
  return reinterpret_cast<RawSightedLock*>(rest.data());
}
// Room for the stack where so many locks are held: kSightedLocks at most.
inline std::size_t stack_room(std::size_t held) {
  return std::min(kSightStackBytes, sizeof(SightTail::rest) - held * sizeof(RawSightedLock));
}

// The facts of a record, without its stack. May allocate. Without what is held where the record
// makes no sense.
OrderSight sight_of(const RawSight& raw, std::span<const std::uint8_t> rest);
// The stack as it was from registers[kRsp] up, as far as it was copied.
inline std::span<const std::uint8_t> stack_of(const RawSight& raw,
                                              std::span<const std::uint8_t> rest) {
  const std::size_t begin = std::size_t{raw.held_count} * sizeof(RawSightedLock);
  if (raw.held_count > kSightedLocks || begin + raw.stack_bytes > rest.size()) return {};
  return rest.subspan(begin, raw.stack_bytes);
}

}  // namespace impasse
