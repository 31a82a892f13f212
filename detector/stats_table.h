// The rows of numbers that all threads share: what ended threads have counted, and what a thread
// had no room for any more.
//
// Promises: any thread may add, without a lock; additions are atomic, a reader sees each number
// whole. A new row takes the ledger's turn to grow, which may be refused: then what was to be added
// is counted as dropped. Costs: some hundred nanoseconds a row.
#pragma once

#include <cstdint>

#include "detector/ledger.h"

namespace impasse {

// What is added to a row; the times may be null.
struct StatGain {
  std::uint64_t lock;
  std::uint64_t site;
  std::uint64_t acquisitions;
  const StatTimes* hold;
  const StatTimes* wait;
};

// How fast the processor's counter runs: two readings of it beside a clock, the first one kept.
void note_stats_clock(LedgerHeader& header, std::uint64_t cycles, std::uint64_t monotonic_ns);
// A guess as long as there are no two.
std::uint64_t cycles_per_tick(const LedgerHeader& header);

class StatTable {
 public:
  explicit StatTable(Ledger& ledger) : ledger_(ledger) {}

  void add(const StatGain& gain);

 private:
  StatRow* row(std::uint64_t lock, std::uint64_t site);
  StatRow* find(std::uint64_t lock, std::uint64_t site) const;
  StatRow* make(std::uint64_t lock, std::uint64_t site);
  std::uint64_t capacity() const { return ledger_.header().region[kStatRows].capacity; }
  StatRow& at(std::uint64_t number) const {
    return *ledger_.at<StatRow>(ledger_.header().region[kStatRows].offset +
                                number * sizeof(StatRow));
  }
  std::atomic<std::uint32_t>& place(std::uint64_t number) const {
    return *ledger_.at<std::atomic<std::uint32_t>>(ledger_.header().region[kStatIndex].offset +
                                                   number * sizeof(std::uint32_t));
  }

  Ledger& ledger_;
};

}  // namespace impasse
