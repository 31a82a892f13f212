// The numbers of a process's locks as a value: by call site and by lock, the worst first, each with
// the frame or the lock of a Report, so that whoever names reports names these too.
//
// Promises: pure functions of their arguments; may allocate.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "detector/stats_reader.h"
#include "report/report.h"
#include "symbolize/modules.h"

namespace impasse::report {

enum class StatsOrder : std::uint8_t { kWait, kHold, kCount };
// "wait", "hold", "count"; nothing for anything else.
std::optional<StatsOrder> stats_order(std::string_view word);

struct StatsRow {
  // A site: in stats_sites(). A lock: in Report::locks; kNobody: those that found no room.
  std::uint32_t what = kNobody;
  LockKind kind = LockKind::kMutex;
  bool shared = false;
  std::uint64_t acquisitions = 0;
  std::uint32_t parts = 0;  // of a site: its locks; of a lock: its sites
  StatSums hold;
  StatSums wait;
};

struct StatsReport {
  Report names;  // modules, locks, and the sites as holds of its only thread
  std::vector<StatsRow> by_site;
  std::vector<StatsRow> by_lock;
  StatsOrder order = StatsOrder::kWait;
  double cycles_per_ns = 0;  // never 0
  std::uint64_t watched_ns = 0;
  std::uint64_t dropped = 0;
  std::uint64_t sites_left_out = 0;  // of the rows
  std::uint64_t locks_left_out = 0;
  bool torn = false;
  bool alive = false;

  const std::vector<Hold>& sites() const { return names.threads.front().holds; }
  std::uint64_t ns(std::uint64_t cycles) const {
    return static_cast<std::uint64_t>(static_cast<double>(cycles) / cycles_per_ns);
  }
};

// Rows in this order; what names need is filled in, names are not.
StatsReport stats_report(const StatsReading& reading, const symbolize::Modules& modules,
                         StatsOrder order);
// All rows beyond these are left out, and counted: names are looked up for what is shown.
void keep_top(StatsReport& stats, std::size_t rows);

}  // namespace impasse::report
