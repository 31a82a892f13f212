// The numbers that a thread collects about the locks that it takes (stats=on): a small table by
// lock and place of the program, written by that thread alone.
//
// Promises: no lock, no allocation but pages of the ledger; every step may be interrupted by a
// signal handler that itself locks. An acquisition that is counted stays counted: an entry that
// makes room for another one is poured into the rows that all threads share (stats_table.h), and so
// is the whole block when its thread ends. What cannot be counted is: k_stats_dropped.
// Costs: an acquisition that has its entry, one addition; about one in kStatPeriod is measured, two
// readings of the processor's clock and a bucket.
#pragma once

#include <cstdint>

#include "detector/add_here.h"
#include "detector/ledger.h"

namespace impasse {

// Acquisitions are measured at random distances of 1 to twice this, less 1; and the first one in
// each unit of the watchdog's clock.
inline constexpr std::uint32_t kStatPeriod = 8;
// Holds that last so many units of the watchdog's clock are counted even if they were not measured.
inline constexpr std::uint32_t kLongHoldTicks = 50;

// A block for this slot's thread, empty. Null: no memory.
StatBlock* open_stats(Ledger& ledger, ThreadSlot& slot);
// All that the slot's thread has counted goes into the shared rows; the block is free again.
void release_stats(Ledger& ledger, ThreadSlot& slot);

// Whether there is a number at all.
bool anything_counted(const Ledger& ledger);

// One acquisition; `wait` in cycles, or kNoWait.
inline constexpr std::uint64_t kNoWait = ~std::uint64_t{0};

class StatWriter {
 public:
  StatWriter(Ledger& ledger, StatBlock& block) : ledger_(ledger), block_(block) {}

  // Where there is no entry yet, or where it had to wait.
  void count(std::uint64_t lock, std::uint64_t site, std::uint64_t wait);
  // The hold at this place of the stack is measured from now on.
  void begin(std::uint64_t place, std::uint64_t lock, std::uint64_t site, std::uint64_t cycles,
             std::uint32_t tick);
  // ... and ends. `ticks`: how long it lasted by the watchdog's clock; `site`: where it was taken.
  void end(std::uint64_t place, std::uint64_t lock, std::uint64_t site, std::uint64_t cycles,
           std::uint32_t ticks);

 private:
  bool begin_change();
  void end_change();
  StatEntry* entry(std::uint64_t lock, std::uint64_t site);
  StatEntry* find(std::uint64_t lock, std::uint64_t site);
  StatEntry* install(std::uint64_t lock, std::uint64_t site);
  StatEntry* crowded_out(std::uint64_t lock, std::uint64_t site);
  StatEntry* displace(std::uint64_t lock, std::uint64_t site);
  StatTimes* times(std::atomic<std::uint32_t>& number);
  void pour(StatEntry& entry);
  void add(StatTimes* to, std::uint64_t cycles, std::uint64_t weight);

  Ledger& ledger_;
  StatBlock& block_;
};

// The entry in which this lock at this place is expected.
inline StatEntry& first_entry(StatBlock& block, std::uint64_t lock, std::uint64_t site) {
  return block.entries[stat_hash(lock, site) >> 56];
}
static_assert(kStatEntries == 1u << (64 - 56));

// The times of this number (from 1) of a block; null: there are none, or the block is damaged.
template <typename At>
auto stat_times_of(const StatBlock& block, std::uint32_t number, At at)
    -> decltype(at(std::uint64_t{0}, 0u)) {
  if (number == 0 || number > kStatTimesMost) return nullptr;
  const std::uint32_t index = number - 1;
  if (index < kStatTimesInline) return at(0, index);
  const std::uint32_t beyond = index - kStatTimesInline;
  const std::uint64_t page = block.pages[beyond / kStatTimesAPage].load(std::memory_order_acquire);
  return page == 0 ? nullptr : at(page, beyond % kStatTimesAPage);
}

}  // namespace impasse
