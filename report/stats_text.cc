#include "report/stats_text.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <string_view>
#include <vector>

#include "report/ages.h"
#include "report/json_writer.h"
#include "report/phrases.h"
#include "report/words.h"

namespace impasse::report {
namespace {

// Three digits and a unit: "873ns", "1.24us", "73.1ms", "12.4s".
std::string span(std::uint64_t ns) {
  constexpr std::array<std::string_view, 4> kUnits{"ns", "us", "ms", "s"};
  auto value = static_cast<double>(ns);
  std::size_t unit = 0;
  while (unit + 1 < kUnits.size() && value >= 999.5) {
    value /= 1000;
    ++unit;
  }
  if (unit + 1 == kUnits.size() && value >= 999.5) return duration(ns);
  const int digits = unit == 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data() + std::string(kUnits[unit]);
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  if (part == 0 || whole == 0) return "-";
  const double value = 100.0 * static_cast<double>(part) / static_cast<double>(whole);
  if (value < 0.1) return "<0.1%";
  std::array<char, 32> text{};
  std::snprintf(text.data(), text.size(), "%.1f%%", std::min(value, 100.0));
  return text.data();
}

constexpr std::array<std::string_view, 12> kHeads{"taken", "waited", "wait p50", "p90",
                                                  "p99",   "max",    "total",    "hold p50",
                                                  "p90",   "p99",    "max",      "total"};
using Cells = std::array<std::string, kHeads.size()>;

void add_times(const StatsReport& stats, const StatSums& sums, std::string* cell) {
  if (sums.count == 0) {
    std::fill(cell, cell + 5, "-");
    return;
  }
  *cell++ = span(stats.ns(sums.quantile(500)));
  *cell++ = span(stats.ns(sums.quantile(900)));
  *cell++ = span(stats.ns(sums.quantile(990)));
  *cell++ = span(stats.ns(sums.most));
  *cell = span(stats.ns(sums.sum));
}

Cells cells_of(const StatsReport& stats, const StatsRow& row) {
  Cells cells;
  cells[0] = std::to_string(row.acquisitions);
  cells[1] = percent(row.wait.count, row.acquisitions);
  add_times(stats, row.wait, &cells[2]);
  add_times(stats, row.hold, &cells[7]);
  return cells;
}

std::string kind_of(const StatsRow& row) {
  std::string text(lock_word(row.kind));
  if (row.kind == LockKind::kRwlock) text += row.shared ? ", shared" : ", exclusive";
  return text;
}

std::string many(std::uint32_t n, const char* one) {
  return std::to_string(n) + " " + one + (n == 1 ? "" : "s");
}

std::string site_title(const StatsReport& stats, const Phrases& say, const StatsRow& row) {
  return say.call_site(stats.sites()[row.what].site) + "  (" + kind_of(row) + ")";
}

std::string lock_title(const StatsReport&, const Phrases& say, const StatsRow& row) {
  if (row.what == kNobody)
    return "other " + std::string(lock_word(row.kind)) + " locks, too many to be kept apart";
  return say.lock_in_full(row.what) + "  (" + many(row.parts, "call site") + ")";
}

// A title has a line of its own: function names are long, and numbers stand in columns.
template <typename Title>
std::string table(const StatsReport& stats, const std::vector<StatsRow>& rows,
                  std::uint64_t left_out, Title title) {
  const Phrases say(stats.names);
  std::vector<Cells> cells;
  std::array<std::size_t, kHeads.size()> width{};
  for (std::size_t i = 0; i < kHeads.size(); ++i) width[i] = kHeads[i].size();
  for (const StatsRow& row : rows) {
    cells.push_back(cells_of(stats, row));
    for (std::size_t i = 0; i < kHeads.size(); ++i)
      width[i] = std::max(width[i], cells.back()[i].size());
  }
  const auto line = [&width](const auto& texts) {
    std::string text;
    for (std::size_t i = 0; i < kHeads.size(); ++i) {
      text.append(i == 0 ? 4 : i == 2 || i == 7 ? 4 : 2, ' ');
      text.append(width[i] - texts[i].size(), ' ').append(texts[i]);
    }
    return text + "\n";
  };
  std::string text = line(kHeads);
  for (std::size_t r = 0; r < rows.size(); ++r)
    text += "  " + title(stats, say, rows[r]) + "\n" + line(cells[r]);
  if (left_out != 0) text += "  ... and " + std::to_string(left_out) + " more\n";
  return text;
}

std::string_view order_words(StatsOrder order) {
  switch (order) {
    case StatsOrder::kHold:
      return "total time held";
    case StatsOrder::kCount:
      return "times taken";
    case StatsOrder::kWait:
      break;
  }
  return "total time waited, then total time held";
}

}  // namespace

std::string stats_text(const StatsReport& stats) {
  std::string text = "impasse: numbers of the locks of process " +
                     std::to_string(stats.names.process.pid) + " (" + stats.names.process.program +
                     ")";
  if (stats.watched_ns != 0) text += " in " + duration(stats.watched_ns);
  text += ", by ";
  text += order_words(stats.order);
  text += "\n";
  if (stats.by_site.empty() && stats.sites_left_out == 0) return text + "\nno lock was taken\n";
  text += "\nby call site\n" + table(stats, stats.by_site, stats.sites_left_out, site_title);
  text += "\nby lock\n" + table(stats, stats.by_lock, stats.locks_left_out, lock_title);
  if (stats.dropped != 0) {
    text += "\n" + std::to_string(stats.dropped) + " found no room to be counted\n";
  }
  if (stats.torn)
    text +=
        "\nthe process changed faster than it could be read: some are counted "
        "twice, or not\n";
  return text;
}

// ---- for programs

namespace {

void write_times(JsonWriter& writer, const StatsReport& stats, std::string_view key,
                 const StatSums& sums) {
  writer.begin_row(key);
  writer.number("count", sums.count);
  writer.number("total_ns", stats.ns(sums.sum));
  writer.number("p50_ns", stats.ns(sums.quantile(500)));
  writer.number("p90_ns", stats.ns(sums.quantile(900)));
  writer.number("p99_ns", stats.ns(sums.quantile(990)));
  writer.number("max_ns", stats.ns(sums.most));
  writer.end_object();
}

void write_row(JsonWriter& writer, const StatsReport& stats, const StatsRow& row) {
  writer.text("kind", lock_word(row.kind));
  writer.number("acquisitions", row.acquisitions);
  writer.number("contended", row.wait.count);
  write_times(writer, stats, "wait", row.wait);
  write_times(writer, stats, "hold", row.hold);
}

}  // namespace

std::string stats_json(const StatsReport& stats) {
  const Phrases say(stats.names);
  JsonWriter writer;
  writer.begin_object();
  writer.text("schema", kStatsSchema);
  writer.text("impasse", stats.names.process.version);
  writer.begin_object("process");
  writer.number("pid", stats.names.process.pid);
  writer.text("program", stats.names.process.program);
  writer.boolean("alive", stats.alive);
  writer.number("watched_ns", stats.watched_ns);
  writer.end_object();
  writer.number("dropped", stats.dropped);
  writer.boolean("torn", stats.torn);
  writer.number("sites_left_out", stats.sites_left_out);
  writer.number("locks_left_out", stats.locks_left_out);
  writer.begin_array("sites");
  for (const StatsRow& row : stats.by_site) {
    const symbolize::Frame& site = stats.sites()[row.what].site;
    writer.begin_object();
    writer.text("site", say.call_site(site));
    writer.number("pc", site.pc);
    writer.text("module", say.module_place(site.pc));
    writer.boolean("shared", row.shared);
    writer.number("locks", row.parts);
    write_row(writer, stats, row);
    writer.end_object();
  }
  writer.end_array();
  writer.begin_array("locks");
  for (const StatsRow& row : stats.by_lock) {
    writer.begin_object();
    if (row.what == kNobody) {
      writer.null("address");
    } else {
      writer.number("address", stats.names.locks[row.what].address);
      writer.text("name", stats.names.locks[row.what].name);
    }
    writer.number("sites", row.parts);
    write_row(writer, stats, row);
    writer.end_object();
  }
  writer.end_array();
  writer.end_object();
  return writer.take();
}

}  // namespace impasse::report
