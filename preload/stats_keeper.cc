#include "preload/stats_keeper.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <ctime>
#include <string>
#include <string_view>
#include <utility>

#include "detector/own_ledger.h"
#include "detector/stats_table.h"
#include "interpose/session.h"
#include "report/stats_text.h"
#include "symbolize/arena.h"
#include "symbolize/crash_guard.h"
#include "witness/name_report.h"
#include "witness/own_output.h"

namespace impasse {
namespace {

constexpr std::uint64_t kMapsEveryNs = 5'000'000'000;
constexpr std::size_t kMostMaps = std::size_t{4} << 20;
constexpr std::size_t kRowsAtTheEnd = 10;
constexpr unsigned kNamingPatienceMs = 1'000;

std::string read_maps() {
  std::string text;
  const int fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  char part[4096];
  ssize_t n = 0;
  while (text.size() < kMostMaps && (n = read(fd, part, sizeof part)) > 0)
    text.append(part, static_cast<std::size_t>(n));
  close(fd);
  return text;
}

// Those of files: what a name is looked up by.
std::string file_lines(std::string_view maps) {
  std::string text;
  while (!maps.empty()) {
    const std::size_t end = std::min(maps.find('\n'), maps.size() - 1) + 1;
    const std::string_view line = maps.substr(0, end);
    maps.remove_prefix(end);
    if (line.find('/') == std::string_view::npos) continue;
    if (text.size() + line.size() > kStatMapPages * kPage) break;
    text += line;
  }
  return text;
}

// Looks up names on the side thread; the watchdog takes them if they come in time. Never torn down:
// the side thread may come late.
class StatsNaming final : public witness::SideTask {
 public:
  explicit StatsNaming(const report::Report& report) : named_(report) {}
  void run() override {
    auto work = [this] { witness::name_report(named_); };
    if (symbolize::run_guarded(nullptr, work)) done_.store(true, std::memory_order_release);
  }
  bool done() const { return done_.load(std::memory_order_acquire); }
  report::Report take() { return std::move(named_); }

 private:
  report::Report named_;
  std::atomic<bool> done_{false};
};

template <typename Condition>
bool comes_true(unsigned& patience_ms, Condition condition) {
  for (; patience_ms != 0; --patience_ms) {
    if (condition()) return true;
    const timespec step{0, 1'000'000};
    nanosleep(&step, nullptr);
  }
  return condition();
}

}  // namespace

void StatsKeeper::keep(std::uint64_t now_ns) {
  note_stats_clock(ledger_.header(), cycles_now(), monotonic_ns());
  if (now_ns < next_maps_ns_) return;
  // Programs load most of what they load soon.
  const bool first = next_maps_ns_ == 0;
  next_maps_ns_ = now_ns + (first ? kMapsEveryNs / 10 : kMapsEveryNs);
  keep_maps();
}

void StatsKeeper::keep_maps() {
  LedgerHeader& header = ledger_.header();
  const std::string text = file_lines(read_maps());
  const Region& region = header.region[kStatMaps];
  auto* const place = ledger_.at<char>(region.offset);
  const std::size_t before = header.stats_maps_bytes.load(std::memory_order_relaxed);
  if (before == text.size() && std::memcmp(place, text.data(), before) == 0) return;
  if (text.empty() || text.size() > region.capacity * kPage) return;
  const std::size_t pages = (text.size() + kPage - 1) / kPage;
  if (!ledger_.growth().reserve(place, pages * kPage)) return;
  header.stats_maps_change.fetch_add(1, std::memory_order_acq_rel);
  std::memcpy(place, text.data(), text.size());
  header.stats_maps_bytes.store(text.size(), std::memory_order_relaxed);
  header.stats_maps_change.fetch_add(1, std::memory_order_acq_rel);
}

void StatsKeeper::say_last_words() {
  if (!std::exchange(on_, false)) return;
  note_stats_clock(ledger_.header(), cycles_now(), monotonic_ns());
  const StatsReading reading = read_own_stats(ledger_);
  if (!reading.problem.empty() || reading.facts.empty()) return;
  const auto modules = symbolize::Modules::from_maps(read_maps());
  report::StatsReport stats = report::stats_report(reading, modules, report::StatsOrder::kWait);
  const LedgerHeader& header = ledger_.header();
  stats.names.process.pid = header.pid;
  stats.names.process.program = header.program;
  stats.watched_ns = monotonic_ns() - header.started_ns;
  report::keep_top(stats, kRowsAtTheEnd);
  auto& naming = *new StatsNaming(stats.names);
  unsigned patience_ms = kNamingPatienceMs;
  const bool given = comes_true(patience_ms, [&] { return side_.give(naming) || side_.lost(); });
  if (given && comes_true(patience_ms, [&] { return naming.done() || side_.lost(); }) &&
      naming.done()) {
    stats.names = naming.take();
  }
  witness::write_to_stderr("\n" + report::stats_text(stats));
}

}  // namespace impasse
