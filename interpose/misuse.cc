#include "interpose/misuse.h"

#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "detector/hold_stack.h"
#include "detector/incidents.h"
#include "interpose/current.h"
#include "interpose/registers.h"
#include "interpose/session.h"

namespace impasse {
namespace {

// Through the kernel: where the stack ends is not known here.
std::uint64_t copy_stack(std::uint64_t start, std::uint8_t* to) {
  constexpr std::uint64_t kPageMask = kPage - 1;
  const std::uint64_t end = start + kIncidentStackBytes;
  iovec from[kIncidentStackBytes / kPage + 2];
  unsigned parts = 0;
  for (std::uint64_t at = start; at < end;) {
    const std::uint64_t next = (at | kPageMask) + 1 < end ? (at | kPageMask) + 1 : end;
    from[parts++] = {reinterpret_cast<void*>(at), next - at};
    at = next;
  }
  const iovec into{to, kIncidentStackBytes};
  const long n = syscall(SYS_process_vm_readv, syscall(SYS_getpid), &into, 1, from, parts, 0);
  return n < 0 ? 0 : static_cast<std::uint64_t>(n);
}

}  // namespace

// The holder's facts are still there: it is this thread, or one whose lock was just taken away.
void describe_hold(Ledger& ledger, const Misuse& misuse, Incident& incident) {
  ThreadSlot* const holder = misuse.other == 0 ? current_slot : ledger.find_tid(misuse.other);
  const Hold* const hold =
      holder == nullptr ? nullptr : HoldStack(*holder, &ledger).find(misuse.lock);
  incident.held_site = hold == nullptr ? 0 : hold->site.load(std::memory_order_relaxed);
  incident.held_stamp = hold == nullptr ? 0 : hold->stamp.load(std::memory_order_relaxed);
}

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
  incident->stack_bytes = copy_stack(incident->stack_start, incident->stack);
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
