#include "detector/wait_scan.h"

#include <algorithm>

#include "detector/clock.h"
#include "detector/hold_stack.h"
#include "detector/site_hash.h"
#include "detector/stuck_set.h"

namespace impasse {
namespace {

constexpr std::uint64_t kYoungTicks = 200'000'000 / kTickNs;
constexpr std::uint64_t kLastingTicks = kLastingNs / kTickNs;

// What one slot says about waiting. `since` 0: nothing.
struct Glance {
  std::uint64_t since = 0;  // tick, at least 1
  std::uint64_t mark = 0;
  bool for_others = false;  // for what nobody holds
  bool timed = false;
};

Glance glance_at_intent(const ThreadSlot& slot, std::uint64_t state) {
  Glance glance;
  const std::uint64_t depth = depth_of(state);
  if (depth == 0 || depth > kInlineHolds) return glance;
  const Hold& top = slot.holds[depth - 1];
  if (phase_of(top) != hold_phase::kAcquiring) return glance;
  glance.since =
      std::max(1U, static_cast<std::uint32_t>(top.stamp.load(std::memory_order_relaxed)));
  glance.mark = state;
  const std::uint64_t traits = top.site.load(std::memory_order_relaxed) >> kTraitShift;
  glance.timed = (traits & hold_trait::kTimed) != 0;
  return glance;
}

// A thread that takes its mutex again within a wait for a condition still counts as waiting for
// that: whoever keeps it stuck waits as well (each in a circle of such alone would have begun its
// wait after the next one did).
Glance glance_at(const ThreadSlot& slot) {
  const std::uint64_t sequence = slot.wait.sequence.load(std::memory_order_acquire);
  const std::uint64_t state = slot.state.load(std::memory_order_relaxed);
  if ((sequence & 1) == 0) return glance_at_intent(slot, state);
  const std::uint64_t site = slot.wait.site.load(std::memory_order_relaxed);
  const auto kind = static_cast<WaitKind>(site >> kTraitShift & 0xff);
  const bool for_others = kind != WaitKind::kJoin && !is_held(lock_kind(kind));
  // A handler that interrupted a wait for a condition may wait for a lock without a record.
  if (for_others) {
    const Glance above = glance_at_intent(slot, state);
    if (above.since != 0) return above;
  }
  Glance glance;
  glance.since = std::max<std::uint64_t>(1, slot.wait.tick.load(std::memory_order_relaxed));
  glance.mark = sequence;
  glance.for_others = for_others;
  glance.timed = (site >> kPhaseShift & hold_trait::kTimed) != 0;
  return glance;
}

}  // namespace

WaitScan scan_waits(const Ledger& ledger, std::uint64_t tick, std::uint64_t late_ticks) {
  WaitScan scan;
  const std::uint64_t used = ledger.slots_used();
  constexpr std::uint64_t kAhead = 8;
  for (std::uint64_t i = 0; i < used; ++i) {
    if (i + kAhead < used) {
      const ThreadSlot& later = ledger.slot(i + kAhead);
      __builtin_prefetch(&later.state);
      __builtin_prefetch(&later.wait);
    }
    const Glance glance = glance_at(ledger.slot(i));
    if (glance.since == 0 || glance.since > tick) continue;
    const std::uint64_t lasted = tick - glance.since;
    if (lasted >= kLastingTicks && !glance.timed) {
      if (glance.for_others) ++scan.for_others;
      scan.picture += mix_site(mix_site(1, i), glance.mark);
    }
    if (glance.for_others || lasted == 0) continue;
    ++scan.waits;
    if (lasted <= kYoungTicks) ++scan.young;
    if (lasted >= late_ticks) ++scan.late;
  }
  // Changes when a slot is handed out or given back.
  const std::uint64_t free_slot = ledger.header().free_slot.load(std::memory_order_acquire);
  scan.picture += mix_site(mix_site(2, used), free_slot);
  return scan;
}

}  // namespace impasse
