#include "detector/stats_table.h"

#include <bit>

#include "detector/clock.h"

namespace impasse {
namespace {

// The last rows are for places of the program: where locks are many, these still count.
constexpr std::uint64_t kForPlaces = 8;

void raise(std::atomic<std::uint64_t>& most, std::uint64_t value) {
  std::uint64_t known = most.load(std::memory_order_relaxed);
  while (known < value && !most.compare_exchange_weak(known, value, std::memory_order_relaxed)) {
  }
}

void add_times(StatTimes& to, const StatTimes* from) {
  if (from == nullptr) return;
  const auto move = [](std::atomic<std::uint64_t>& sum, const std::atomic<std::uint64_t>& part) {
    const std::uint64_t value = part.load(std::memory_order_relaxed);
    if (value != 0) sum.fetch_add(value, std::memory_order_relaxed);
  };
  move(to.count, from->count);
  move(to.sum, from->sum);
  raise(to.most, from->most.load(std::memory_order_relaxed));
  for (unsigned i = 0; i < kStatBuckets; ++i) move(to.buckets[i], from->buckets[i]);
}

}  // namespace

void note_stats_clock(LedgerHeader& header, std::uint64_t cycles, std::uint64_t monotonic_ns) {
  if (header.stats_first_ns.load(std::memory_order_relaxed) == 0) {
    header.stats_first_cycles.store(cycles, std::memory_order_relaxed);
    header.stats_first_ns.store(monotonic_ns, std::memory_order_relaxed);
  }
  header.stats_last_cycles.store(cycles, std::memory_order_relaxed);
  header.stats_last_ns.store(monotonic_ns, std::memory_order_release);
}

std::uint64_t cycles_per_tick(const LedgerHeader& header) {
  constexpr std::uint64_t kGuess = 2 * kTickNs;
  const std::uint64_t ns = header.stats_last_ns.load(std::memory_order_acquire) -
                           header.stats_first_ns.load(std::memory_order_relaxed);
  const std::uint64_t cycles = header.stats_last_cycles.load(std::memory_order_relaxed) -
                               header.stats_first_cycles.load(std::memory_order_relaxed);
  if (ns < kTickNs) return kGuess;
  return static_cast<std::uint64_t>(static_cast<double>(cycles) / static_cast<double>(ns) *
                                    static_cast<double>(kTickNs));
}

void StatTable::add(const StatGain& gain) {
  StatRow* const to = row(gain.lock, gain.site);
  if (to == nullptr) {
    ledger_.count(k_stats_dropped, gain.acquisitions);
    return;
  }
  to->acquisitions.fetch_add(gain.acquisitions, std::memory_order_relaxed);
  add_times(to->hold, gain.hold);
  add_times(to->wait, gain.wait);
}

StatRow* StatTable::row(std::uint64_t lock, std::uint64_t site) {
  if (capacity() == 0) return nullptr;
  if (StatRow* const known = find(lock, site)) return known;
  return make(lock, site);
}

// Until the first row is made, memory of the index is not touched: reading a hole would fill it.
StatRow* StatTable::find(std::uint64_t lock, std::uint64_t site) const {
  if (ledger_.header().stats_used.load(std::memory_order_acquire) == 0) return nullptr;
  const std::uint64_t places = 2 * capacity();
  std::uint64_t i = stat_hash(lock, site) >> (64 - std::countr_zero(places));
  for (std::uint64_t tried = 0; tried < places; ++tried, i = (i + 1) & (places - 1)) {
    const std::uint32_t number = place(i).load(std::memory_order_acquire);
    if (number == 0) return nullptr;
    StatRow& row = at(number - 1);
    if (row.lock.load(std::memory_order_relaxed) == lock &&
        row.site.load(std::memory_order_relaxed) == site) {
      return &row;
    }
  }
  return nullptr;
}

StatRow* StatTable::make(std::uint64_t lock, std::uint64_t site) {
  LedgerHeader& header = ledger_.header();
  const GrowthTurn turn(ledger_.growth());
  if (!turn) return nullptr;
  if (StatRow* const known = find(lock, site)) return known;  // made meanwhile
  const std::uint64_t used = header.stats_used.load(std::memory_order_relaxed);
  const std::uint64_t limit = lock == 0 ? capacity() : capacity() - capacity() / kForPlaces;
  const std::uint64_t places = 2 * capacity();
  if (used >= limit) {
    if (lock == 0) return nullptr;
    if (StatRow* const known = find(0, site)) return known;
    if (used >= capacity()) return nullptr;
    lock = 0;
  }
  if (used == 0 && !ledger_.growth().reserve(&place(0), places * sizeof(std::uint32_t)))
    return nullptr;
  const std::uint64_t ready = header.stats_ready.load(std::memory_order_relaxed);
  if (used >= ready) {
    if (!ledger_.growth().reserve(&at(ready), kStatRowsAStep * sizeof(StatRow))) return nullptr;
    header.stats_ready.store(ready + kStatRowsAStep, std::memory_order_relaxed);
  }
  StatRow& fresh = at(used);
  fresh.lock.store(lock, std::memory_order_relaxed);
  fresh.site.store(site, std::memory_order_relaxed);
  header.stats_used.store(used + 1, std::memory_order_release);
  std::uint64_t i = stat_hash(lock, site) >> (64 - std::countr_zero(places));
  while (place(i).load(std::memory_order_relaxed) != 0) i = (i + 1) & (places - 1);
  place(i).store(static_cast<std::uint32_t>(used + 1), std::memory_order_release);
  return &fresh;
}

}  // namespace impasse
