#include "detector/stats_reader.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <unordered_map>

#include "detector/raw_record.h"
#include "detector/stats_block.h"

namespace impasse {
namespace {

constexpr unsigned kTries = 6;
constexpr std::uint64_t kMostMapsBytes = kStatMapPages * kPage;

struct FactKey {
  std::uint64_t lock;
  std::uint64_t site;
  bool operator==(const FactKey&) const = default;
};
struct FactHash {
  std::size_t operator()(const FactKey& key) const { return stat_hash(key.lock, key.site); }
};
using Facts = std::unordered_map<FactKey, StatFact, FactHash>;

class Reader {
 public:
  Reader(LedgerSource& source, const LedgerReading& reading)
      : source_(source), regions_(reading.regions) {}

  StatsReading take();
  std::string take_maps() {
    read_maps();
    return std::move(result_.maps);
  }

 private:
  template <typename T>
  bool get(std::uint64_t offset, T& into) {
    return source_.read(offset, static_cast<void*>(&into), sizeof into);
  }
  std::uint64_t word(std::size_t offset_in_header) {
    std::uint64_t value = 0;
    if (!get(offset_in_header, value)) cut_off_ = true;
    return value;
  }
  // A place for `bytes` within the region that threads' blocks are carved from.
  bool in_pages(std::uint64_t offset, std::uint64_t bytes) const {
    const Region& region = regions_[kDeepHolds];
    const std::uint64_t size = region.stride * region.capacity;
    return offset >= region.offset && offset - region.offset <= size &&
           bytes <= size - (offset - region.offset) && offset % kPage == 0;
  }

  Facts read_once();
  void read_block(std::uint64_t offset, Facts& into);
  void read_rows(Facts& into);
  void read_clock();
  void read_maps();
  StatSums sums(const StatTimes& times) const;
  void note(std::uint64_t lock, std::uint64_t site, std::uint64_t acquisitions,
            const StatSums& hold, const StatSums& wait, Facts& into) const;

  LedgerSource& source_;
  const std::array<Region, kRegions>& regions_;
  StatsReading result_;
  bool cut_off_ = false;
};

StatSums Reader::sums(const StatTimes& times) const {
  StatSums result;
  result.count = times.count.load(std::memory_order_relaxed);
  result.sum = times.sum.load(std::memory_order_relaxed);
  result.most = times.most.load(std::memory_order_relaxed);
  for (unsigned i = 0; i < kStatBuckets; ++i)
    result.buckets[i] = times.buckets[i].load(std::memory_order_relaxed);
  return result;
}

void Reader::note(std::uint64_t lock, std::uint64_t site, std::uint64_t acquisitions,
                  const StatSums& hold, const StatSums& wait, Facts& into) const {
  if (site == 0 || (acquisitions | hold.count | wait.count) == 0) return;
  StatFact fact;
  fact.lock = lock;
  fact.pc = site & kSiteMask;
  const auto traits = static_cast<std::uint8_t>(site >> kTraitShift);
  fact.kind = static_cast<LockKind>(traits & hold_trait::kKindMask);
  fact.shared = (traits & hold_trait::kShared) != 0;
  fact.acquisitions = acquisitions;
  fact.hold = hold;
  fact.wait = wait;
  const auto [known, is_new] = into.try_emplace({lock, site}, fact);
  if (!is_new) known->second.add(fact);
}

void Reader::read_block(std::uint64_t offset, Facts& into) {
  if (!in_pages(offset, sizeof(StatBlock))) return;
  const auto block = std::make_unique<StatBlock>();
  if (!get(offset, *block)) {
    cut_off_ = true;
    return;
  }
  const auto times = [&](std::uint32_t number) {
    StatTimes copy{};
    stat_times_of(*block, number, [&](std::uint64_t page, unsigned index) -> StatTimes* {
      if (page == 0) {
        std::memcpy(static_cast<void*>(&copy), &block->times[index], sizeof copy);
      } else if (in_pages(page, kPage) && !get(page + index * sizeof copy, copy)) {
        cut_off_ = true;
      }
      return nullptr;
    });
    return sums(copy);
  };
  for (const StatEntry& entry : block->entries) {
    const std::uint64_t site = entry.site.load(std::memory_order_relaxed);
    if (site != 0)
      note(entry.lock, site, entry.acquisitions, times(entry.hold), times(entry.wait), into);
  }
}

void Reader::read_rows(Facts& into) {
  const Region& rows = regions_[kStatRows];
  const std::uint64_t used = std::min(word(offsetof(LedgerHeader, stats_used)), rows.capacity);
  const auto row = std::make_unique<StatRow>();
  for (std::uint64_t i = 0; i < used && !cut_off_; ++i) {
    if (!get(rows.offset + i * sizeof(StatRow), *row)) {
      cut_off_ = true;
      return;
    }
    note(row->lock, row->site, row->acquisitions, sums(row->hold), sums(row->wait), into);
  }
}

Facts Reader::read_once() {
  Facts facts;
  const Region& slots = regions_[kSlots];
  const std::uint64_t used = std::min(word(offsetof(LedgerHeader, slots_used)), slots.capacity);
  for (std::uint64_t i = 0; i < used && !cut_off_; ++i) {
    std::uint64_t block = 0;
    if (!get(slots.offset + i * slots.stride + offsetof(ThreadSlot, stats), block)) cut_off_ = true;
    if (block == 0) continue;
    result_.collected = true;
    read_block(block, facts);
  }
  read_rows(facts);
  return facts;
}

void Reader::read_clock() {
  const std::uint64_t ns =
      word(offsetof(LedgerHeader, stats_last_ns)) - word(offsetof(LedgerHeader, stats_first_ns));
  const std::uint64_t cycles = word(offsetof(LedgerHeader, stats_last_cycles)) -
                               word(offsetof(LedgerHeader, stats_first_cycles));
  constexpr std::uint64_t kTooShortNs = 2'000'000;
  if (ns < kTooShortNs || ns >> 62 != 0 || cycles == 0 || cycles >> 62 != 0) return;
  result_.cycles_per_ns = static_cast<double>(cycles) / static_cast<double>(ns);
}

void Reader::read_maps() {
  for (unsigned i = 0; i < kTries && !cut_off_; ++i) {
    const std::uint64_t before = word(offsetof(LedgerHeader, stats_maps_change));
    const std::uint64_t bytes = word(offsetof(LedgerHeader, stats_maps_bytes));
    const Region& region = regions_[kStatMaps];
    if (bytes > kMostMapsBytes || bytes > region.stride * region.capacity) return;
    std::string text(bytes, '\0');
    if (!source_.read(region.offset, text.data(), bytes)) return;
    // Zeros: that part of the ledger is not in its file.
    if (text.find('\0') != std::string::npos) return;
    result_.maps = std::move(text);
    if ((before & 1) == 0 && word(offsetof(LedgerHeader, stats_maps_change)) == before) return;
  }
}

StatsReading Reader::take() {
  Facts facts;
  result_.torn = true;
  for (unsigned i = 0; i < kTries && result_.torn && !cut_off_; ++i) {
    const std::uint64_t moved = word(offsetof(LedgerHeader, stats_moved));
    facts = read_once();
    result_.torn = word(offsetof(LedgerHeader, stats_moving)) != moved;
  }
  read_clock();
  read_maps();
  result_.collected = result_.collected || word(offsetof(LedgerHeader, stats_first_ns)) != 0;
  result_.dropped =
      word(offsetof(LedgerHeader, counters) + k_stats_dropped * sizeof(std::uint64_t));
  if (cut_off_) {
    StatsReading failed;
    failed.problem = "truncated: it was cut while it was read";
    return failed;
  }
  result_.facts.reserve(facts.size());
  for (auto& [key, fact] : facts) result_.facts.push_back(fact);
  return std::move(result_);
}

}  // namespace

void StatSums::add(const StatSums& more) {
  count += more.count;
  sum += more.sum;
  most = std::max(most, more.most);
  for (unsigned i = 0; i < kStatBuckets; ++i) buckets[i] += more.buckets[i];
}

// Within its bucket times are taken as spread evenly; none is longer than the longest. Where all
// stand in one bucket, their mean is nearer.
std::uint64_t StatSums::quantile(unsigned per_mille) const {
  std::uint64_t all = 0;
  for (const std::uint64_t n : buckets) all += n;
  if (all == 0) return 0;
  const double wanted = static_cast<double>(all) * per_mille / 1000.0;
  double below = 0;
  for (unsigned i = 0; i < kStatBuckets; ++i) {
    const auto here = static_cast<double>(buckets[i]);
    if (buckets[i] == all) return std::min(sum / all, most);
    if (here != 0 && below + here >= wanted) {
      const auto start = static_cast<double>(stat_bucket_start(i));
      const auto end = i + 1 < kStatBuckets ? static_cast<double>(stat_bucket_start(i + 1))
                                            : static_cast<double>(most);
      const auto value =
          static_cast<std::uint64_t>(start + (end - start) * (wanted - below) / here);
      return std::min(value, most);
    }
    below += here;
  }
  return most;
}

void StatFact::add(const StatFact& more) {
  acquisitions += more.acquisitions;
  hold.add(more.hold);
  wait.add(more.wait);
}

std::string read_maps(LedgerSource& source, const LedgerReading& reading) {
  return Reader(source, reading).take_maps();
}

StatsReading read_stats(LedgerSource& source, const LedgerReading& reading) {
  return Reader(source, reading).take();
}

}  // namespace impasse
