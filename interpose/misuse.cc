#include "interpose/misuse.h"

#include "detector/hold_stack.h"
#include "detector/incidents.h"
#include "interpose/current.h"
#include "interpose/registers.h"
#include "interpose/session.h"
#include "interpose/stack_copy.h"

namespace impasse {
namespace {

// The holder's facts are still there: it is this thread, or one whose lock was just taken away.
void describe_hold(Ledger& ledger, const Misuse& misuse, Incident& incident) {
  ThreadSlot* const holder = misuse.other == 0 ? current_slot : ledger.find_tid(misuse.other);
  const Hold* const hold =
      holder == nullptr ? nullptr : HoldStack(*holder, &ledger).find(misuse.lock);
  incident.held_site = hold == nullptr ? 0 : hold->site.load(std::memory_order_relaxed);
  incident.held_stamp = hold == nullptr ? 0 : hold->stamp.load(std::memory_order_relaxed);
}

}  // namespace

// Not inlined: its frame is where the walk of the copied stack begins.
[[gnu::noinline, gnu::cold]] void note_misuse(const Misuse& misuse) {
  const ErrnoKept errno_kept;
  Ledger* const here = ledger();
  if (here == nullptr || current_slot == nullptr ||
      Incidents::seen(static_cast<std::uint64_t>(misuse.kind), misuse.site)) {
    return;
  }
  Incident* const incident = Incidents(*here).claim();
  if (incident == nullptr) return;
  incident->kind = static_cast<std::uint32_t>(misuse.kind);
  incident->lock_kind = static_cast<std::uint32_t>(misuse.lock_kind);
  incident->tid = current_slot->tid.load(std::memory_order_relaxed);
  incident->other = misuse.other;
  incident->shared = misuse.shared ? 1 : 0;
  incident->lock = misuse.lock;
  incident->site = misuse.site;
  incident->when_ns = monotonic_ns();
  describe_hold(*here, misuse, *incident);
  IMPASSE_SAVE_REGISTERS(incident->registers);
  incident->stack_start = incident->registers[kRsp];
  incident->stack_bytes =
      copy_own_stack(*current_slot, incident->stack_start, incident->stack, kIncidentStackBytes);
  Incidents::tell(*incident);
}

void note_refusal(std::uint8_t traits, std::uint64_t lock, std::uint64_t site) {
  const auto kind = static_cast<LockKind>(traits & hold_trait::kKindMask);
  // An error-checking mutex was made to be asked such things.
  if (kind != LockKind::kRwlock) return;
  note_misuse(
      {MisuseKind::kRefusedRelock, kind, lock, site, 0, (traits & hold_trait::kShared) != 0});
}

}  // namespace impasse
