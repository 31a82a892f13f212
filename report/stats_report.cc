#include "report/stats_report.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace impasse::report {
namespace {

struct Sum {
  StatFact fact;
  std::uint32_t parts = 0;
};

void add(Sum& sum, const StatFact& fact) {
  if (sum.parts++ == 0) {
    sum.fact = fact;
  } else {
    sum.fact.add(fact);
  }
}

// What decides first, what next.
auto rank(const StatFact& fact, StatsOrder order) {
  switch (order) {
    case StatsOrder::kHold:
      return std::tuple(fact.hold.sum, fact.wait.sum, fact.acquisitions);
    case StatsOrder::kCount:
      return std::tuple(fact.acquisitions, fact.wait.sum, fact.hold.sum);
    case StatsOrder::kWait:
      break;
  }
  return std::tuple(fact.wait.sum, fact.hold.sum, fact.acquisitions);
}

template <typename Sums>
std::vector<Sum> sorted(const Sums& sums, StatsOrder order) {
  std::vector<Sum> list;
  list.reserve(sums.size());
  for (const auto& [key, sum] : sums) list.push_back(sum);
  std::stable_sort(list.begin(), list.end(), [order](const Sum& a, const Sum& b) {
    return rank(a.fact, order) > rank(b.fact, order);
  });
  return list;
}

StatsRow row_of(const Sum& sum, std::uint32_t what) {
  StatsRow row;
  row.what = what;
  row.kind = sum.fact.kind;
  row.shared = sum.fact.shared;
  row.acquisitions = sum.fact.acquisitions;
  row.parts = sum.parts;
  row.hold = sum.fact.hold;
  row.wait = sum.fact.wait;
  return row;
}

}  // namespace

std::optional<StatsOrder> stats_order(std::string_view word) {
  if (word == "wait") return StatsOrder::kWait;
  if (word == "hold") return StatsOrder::kHold;
  if (word == "count") return StatsOrder::kCount;
  return std::nullopt;
}

StatsReport stats_report(const StatsReading& reading, const symbolize::Modules& modules,
                         StatsOrder order) {
  StatsReport stats;
  stats.order = order;
  stats.cycles_per_ns = reading.cycles_per_ns > 0 ? reading.cycles_per_ns : 1;
  stats.dropped = reading.dropped;
  stats.torn = reading.torn;
  for (const symbolize::Module& module : modules.all()) {
    stats.names.modules.push_back(
        {module.path, module.base, module.end, module.build_id, module.deleted});
  }
  std::map<std::tuple<std::uint64_t, LockKind, bool>, Sum> sites;
  std::map<std::pair<std::uint64_t, LockKind>, Sum> locks;
  for (const StatFact& fact : reading.facts) {
    add(sites[{fact.pc, fact.kind, fact.shared}], fact);
    add(locks[{fact.lock, fact.kind}], fact);
  }
  stats.names.threads.emplace_back();
  for (const Sum& sum : sorted(sites, order)) {
    std::vector<Hold>& holds = stats.names.threads.front().holds;
    stats.by_site.push_back(row_of(sum, static_cast<std::uint32_t>(holds.size())));
    holds.emplace_back().site.pc = sum.fact.pc;
  }
  for (const Sum& sum : sorted(locks, order)) {
    if (sum.fact.lock == 0) {
      stats.by_lock.push_back(row_of(sum, kNobody));
      continue;
    }
    stats.by_lock.push_back(row_of(sum, static_cast<std::uint32_t>(stats.names.locks.size())));
    Lock& lock = stats.names.locks.emplace_back();
    lock.address = sum.fact.lock;
    lock.kind = sum.fact.kind;
  }
  return stats;
}

void keep_top(StatsReport& stats, std::size_t rows) {
  // Rows refer to places that were made in their order.
  const auto cut = [rows](auto& list) {
    if (list.size() > rows) list.resize(rows);
  };
  const std::size_t sites = stats.by_site.size();
  const std::size_t locks = stats.by_lock.size();
  cut(stats.by_site);
  cut(stats.by_lock);
  stats.sites_left_out += sites - stats.by_site.size();
  stats.locks_left_out += locks - stats.by_lock.size();
  cut(stats.names.threads.front().holds);
  cut(stats.names.locks);
}

}  // namespace impasse::report
