#include "detector/stats_block.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "detector/stats_table.h"

namespace impasse {
namespace {

// Of acquisitions without an entry one in 128 gets the entry of another lock; which ones has no
// period, so that programs that have one are not always met in the same place.
bool is_turn_of(std::uint32_t crowded) {
  return (crowded * 0x9e37'79b1U) >> 25 == 0;
}

StatTimes* times_at(const Ledger& ledger, StatBlock& block, std::uint32_t number) {
  return stat_times_of(block, number, [&](std::uint64_t page, unsigned index) -> StatTimes* {
    return page == 0 ? &block.times[index] : ledger.at<StatTimes>(page) + index;
  });
}

// What moves is for a moment in both places, or in none: readers look again.
class Moving {
 public:
  explicit Moving(Ledger& ledger) : header_(ledger.header()) {
    header_.stats_moving.fetch_add(1, std::memory_order_acq_rel);
  }
  ~Moving() { header_.stats_moved.fetch_add(1, std::memory_order_acq_rel); }
  Moving(const Moving&) = delete;
  Moving& operator=(const Moving&) = delete;

 private:
  LedgerHeader& header_;
};

void clear(StatTimes* times) {
  if (times != nullptr) std::memset(static_cast<void*>(times), 0, sizeof *times);
}

StatEntry* set_of(StatBlock& block, std::uint64_t lock, std::uint64_t site) {
  const auto index = static_cast<std::size_t>(&first_entry(block, lock, site) - block.entries);
  return &block.entries[index / kStatWays * kStatWays];
}

bool is(const StatEntry& entry, std::uint64_t lock, std::uint64_t site) {
  return entry.lock.load(std::memory_order_relaxed) == lock &&
         entry.site.load(std::memory_order_relaxed) == site;
}

std::uint32_t next_period(StatBlock& block) {
  std::uint64_t random = block.random.load(std::memory_order_relaxed);
  random = random * 6'364'136'223'846'793'005 + 1'442'695'040'888'963'407;
  block.random.store(random, std::memory_order_relaxed);
  return 1 + static_cast<std::uint32_t>((random >> 32) % (2 * kStatPeriod - 1));
}

}  // namespace

StatBlock* open_stats(Ledger& ledger, ThreadSlot& slot) {
  auto* const block = static_cast<StatBlock*>(ledger.claim_pages(kStatBlockClass));
  if (block == nullptr) {
    ledger.count(k_stats_dropped);
    return nullptr;
  }
  std::memset(static_cast<void*>(block), 0, sizeof *block);
  block->random.store(cycles_now(), std::memory_order_relaxed);
  block->countdown.store(1, std::memory_order_relaxed);
  block->period.store(1, std::memory_order_relaxed);
  slot.stats.store(ledger.offset_of(block), std::memory_order_release);
  return block;
}

void release_stats(Ledger& ledger, ThreadSlot& slot) {
  const std::uint64_t offset = slot.stats.load(std::memory_order_relaxed);
  if (offset == 0) return;
  auto& block = *ledger.at<StatBlock>(offset);
  {
    const Moving moving(ledger);
    StatTable table(ledger);
    for (StatEntry& entry : block.entries) {
      if (entry.site.load(std::memory_order_relaxed) == 0) continue;
      table.add({entry.lock, entry.site, entry.acquisitions, times_at(ledger, block, entry.hold),
                 times_at(ledger, block, entry.wait)});
    }
    slot.stats.store(0, std::memory_order_release);
  }
  for (auto& page : block.pages) {
    if (const std::uint64_t used = page.load(std::memory_order_relaxed); used != 0)
      ledger.release_pages(ledger.at<void>(used), 0);
  }
  ledger.release_pages(&block, kStatBlockClass);
}

bool anything_counted(const Ledger& ledger) {
  if (ledger.header().stats_used.load(std::memory_order_acquire) != 0) return true;
  for (std::uint64_t i = 0; i < ledger.slots_used(); ++i) {
    const std::uint64_t offset = ledger.slot(i).stats.load(std::memory_order_acquire);
    if (offset == 0) continue;
    const StatBlock& block = *ledger.at<StatBlock>(offset);
    const auto used = [](const StatEntry& entry) {
      return entry.site.load(std::memory_order_relaxed) != 0;
    };
    if (std::any_of(std::begin(block.entries), std::end(block.entries), used)) return true;
  }
  return false;
}

// ---- entries

// Plain stores: who comes between is a signal handler, and done before this goes on.
bool StatWriter::begin_change() {
  if (block_.busy.load(std::memory_order_relaxed) != 0) return false;
  block_.busy.store(1, std::memory_order_relaxed);
  std::atomic_signal_fence(std::memory_order_seq_cst);
  return true;
}

void StatWriter::end_change() {
  block_.busy.store(0, std::memory_order_release);
}

// Null: the block is being rearranged, by what this signal handler interrupted; or there is no
// room at all.
StatEntry* StatWriter::entry(std::uint64_t lock, std::uint64_t site) {
  if (StatEntry* const known = find(lock, site)) return known;
  if (!begin_change()) return nullptr;
  StatEntry* found = install(lock, site);
  if (found == nullptr) found = crowded_out(lock, site);
  end_change();
  return found;
}

StatEntry* StatWriter::find(std::uint64_t lock, std::uint64_t site) {
  StatEntry* const set = set_of(block_, lock, site);
  StatEntry* const found =
      std::find_if(set, set + kStatWays, [&](const StatEntry& e) { return is(e, lock, site); });
  return found == set + kStatWays ? nullptr : found;
}

// The entry in which it is looked for first, if that is free.
StatEntry* StatWriter::install(std::uint64_t lock, std::uint64_t site) {
  const auto free = [](const StatEntry& e) { return e.site.load(std::memory_order_relaxed) == 0; };
  StatEntry* fresh = &first_entry(block_, lock, site);
  if (!free(*fresh)) {
    StatEntry* const set = set_of(block_, lock, site);
    fresh = std::find_if(set, set + kStatWays, free);
    if (fresh == set + kStatWays) return nullptr;
  }
  fresh->lock.store(lock, std::memory_order_relaxed);
  fresh->site.store(site, std::memory_order_release);
  return fresh;
}

// Mostly it is counted with the other locks of its place; now and then it gets an entry, so that
// the busiest locks have one before long.
StatEntry* StatWriter::crowded_out(std::uint64_t lock, std::uint64_t site) {
  const std::uint32_t crowded = block_.crowded.load(std::memory_order_relaxed) + 1;
  block_.crowded.store(crowded, std::memory_order_relaxed);
  if (lock == 0 || is_turn_of(crowded)) return displace(lock, site);
  if (StatEntry* const others = find(0, site)) return others;
  if (StatEntry* const others = install(0, site)) return others;
  return displace(0, site);
}

StatEntry* StatWriter::displace(std::uint64_t lock, std::uint64_t site) {
  StatEntry* const set = set_of(block_, lock, site);
  StatEntry* least = set;
  for (StatEntry* e = set + 1; e != set + kStatWays; ++e) {
    // Those that stand for many locks stay.
    const auto rank = [](const StatEntry& entry) {
      return entry.lock.load(std::memory_order_relaxed) == 0
                 ? std::numeric_limits<std::uint64_t>::max()
                 : entry.acquisitions.load(std::memory_order_relaxed);
    };
    if (rank(*e) < rank(*least)) least = e;
  }
  pour(*least);
  least->lock.store(lock, std::memory_order_relaxed);
  least->site.store(site, std::memory_order_release);
  return least;
}

// Its times stay with the entry, empty.
void StatWriter::pour(StatEntry& entry) {
  const Moving moving(ledger_);
  StatTimes* const hold = times_at(ledger_, block_, entry.hold);
  StatTimes* const wait = times_at(ledger_, block_, entry.wait);
  StatTable(ledger_).add({entry.lock, entry.site, entry.acquisitions, hold, wait});
  entry.site.store(0, std::memory_order_relaxed);
  entry.acquisitions.store(0, std::memory_order_relaxed);
  clear(hold);
  clear(wait);
}

// ---- times

StatTimes* StatWriter::times(std::atomic<std::uint32_t>& number) {
  if (const std::uint32_t known = number.load(std::memory_order_relaxed); known != 0)
    return times_at(ledger_, block_, known);
  if (!begin_change()) return nullptr;
  const std::uint32_t fresh = block_.times_used.load(std::memory_order_relaxed) + 1;
  StatTimes* found = nullptr;
  if (fresh <= kStatTimesMost) {
    if (fresh > kStatTimesInline) {
      auto& page = block_.pages[(fresh - 1 - kStatTimesInline) / kStatTimesAPage];
      if (page.load(std::memory_order_relaxed) == 0) {
        if (void* const memory = ledger_.claim_pages(0)) {
          std::memset(memory, 0, kPage);
          page.store(ledger_.offset_of(memory), std::memory_order_release);
        }
      }
    }
    found = times_at(ledger_, block_, fresh);
    if (found != nullptr) {
      block_.times_used.store(fresh, std::memory_order_relaxed);
      number.store(fresh, std::memory_order_release);
    }
  }
  end_change();
  return found;
}

void StatWriter::add(StatTimes* to, std::uint64_t cycles, std::uint64_t weight) {
  if (to == nullptr) {
    ledger_.count(k_stats_dropped, weight);
    return;
  }
  add_here(to->count, weight);
  add_here(to->sum, cycles * weight);
  add_here(to->buckets[stat_bucket(cycles)], weight);
  if (to->most.load(std::memory_order_relaxed) < cycles)
    to->most.store(cycles, std::memory_order_relaxed);
}

// ---- what a thread tells

void StatWriter::count(std::uint64_t lock, std::uint64_t site, std::uint64_t wait) {
  StatEntry* const counted = entry(lock, site);
  if (counted == nullptr) {
    ledger_.count(k_stats_dropped);
    return;
  }
  add_here(counted->acquisitions, 1);
  if (wait != kNoWait) add(times(counted->wait), wait, 1);
}

void StatWriter::begin(std::uint64_t place, std::uint64_t lock, std::uint64_t site,
                       std::uint64_t cycles, std::uint32_t tick) {
  const std::uint32_t period = block_.period.load(std::memory_order_relaxed);
  const std::uint32_t left = block_.countdown.load(std::memory_order_relaxed);
  // All acquisitions since the last one that was measured.
  const std::uint32_t weight = left < period ? period - left : 1;
  const std::uint32_t next = next_period(block_);
  block_.period.store(next, std::memory_order_relaxed);
  block_.countdown.store(next, std::memory_order_relaxed);
  block_.last_tick.store(tick, std::memory_order_relaxed);
  if (place >= kStatSamples) return;
  StatSample& sample = block_.samples[place];
  sample.site.store(site, std::memory_order_relaxed);
  sample.weight.store(weight, std::memory_order_relaxed);
  sample.since.store(cycles, std::memory_order_relaxed);
  sample.lock.store(lock, std::memory_order_release);
}

void StatWriter::end(std::uint64_t place, std::uint64_t lock, std::uint64_t site,
                     std::uint64_t cycles, std::uint32_t ticks) {
  const bool long_hold = ticks >= kLongHoldTicks;
  std::uint64_t length = 0;
  std::uint64_t weight = 0;
  if (place < kStatSamples && block_.samples[place].lock.load(std::memory_order_relaxed) == lock) {
    StatSample& sample = block_.samples[place];
    const std::uint64_t since = sample.since.load(std::memory_order_relaxed);
    length = cycles > since ? cycles - since : 0;
    weight = sample.weight.load(std::memory_order_relaxed);
    site = sample.site.load(std::memory_order_relaxed);
    sample.lock.store(0, std::memory_order_relaxed);
  } else if (long_hold) {
    length = ticks * cycles_per_tick(ledger_.header());
  }
  // Each long hold is counted, measured or not: as itself alone.
  if (long_hold) weight = 1;
  if (weight == 0 || length == 0) return;
  StatEntry* const held = entry(lock, site);
  add(held == nullptr ? nullptr : times(held->hold), length, weight);
}

}  // namespace impasse
