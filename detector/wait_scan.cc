#include "detector/wait_scan.h"

#include <algorithm>

#include "detector/clock.h"
#include "detector/hold_stack.h"

namespace impasse {
namespace {

constexpr std::uint64_t kYoungTicks = 200'000'000 / kTickNs;

// The tick since which this thread waits, at least 1; 0: it does not. One that takes its mutex
// again within a wait for a condition does not count: whoever keeps it stuck waits as well (each in
// a circle of such alone would have begun its wait after the next one did).
std::uint64_t waits_since(const ThreadSlot& slot) {
  if ((slot.wait.sequence.load(std::memory_order_acquire) & 1) != 0) {
    const std::uint64_t site = slot.wait.site.load(std::memory_order_relaxed);
    const auto kind = static_cast<WaitKind>(site >> kTraitShift & 0xff);
    const std::uint64_t depth = depth_of(slot.state.load(std::memory_order_relaxed));
    // A handler that interrupted a wait for a condition may wait for a lock without a record.
    if (kind != WaitKind::kCondition || depth == 0) {
      return kind == WaitKind::kCondition
                 ? 0
                 : std::max<std::uint64_t>(1, slot.wait.tick.load(std::memory_order_relaxed));
    }
  }
  const std::uint64_t depth = depth_of(slot.state.load(std::memory_order_relaxed));
  if (depth == 0 || depth > kInlineHolds) return 0;
  const Hold& top = slot.holds[depth - 1];
  if (phase_of(top) != hold_phase::kAcquiring) return 0;
  return std::max(1U, static_cast<std::uint32_t>(top.stamp.load(std::memory_order_relaxed)));
}

}  // namespace

WaitScan scan_waits(const Ledger& ledger, std::uint64_t tick) {
  WaitScan scan;
  const std::uint64_t used = ledger.slots_used();
  constexpr std::uint64_t kAhead = 8;
  for (std::uint64_t i = 0; i < used; ++i) {
    if (i + kAhead < used) {
      const ThreadSlot& later = ledger.slot(i + kAhead);
      __builtin_prefetch(&later.state);
      __builtin_prefetch(&later.wait);
    }
    const std::uint64_t since = waits_since(ledger.slot(i));
    if (since == 0 || since >= tick) continue;
    ++scan.waits;
    if (tick - since <= kYoungTicks) ++scan.young;
  }
  return scan;
}

}  // namespace impasse
