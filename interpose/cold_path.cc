#include "interpose/cold_path.h"

#include <algorithm>

#include "detector/deep_holds.h"

namespace impasse {
namespace {

constexpr std::uint64_t kSlotsSearched = 1'024;

bool holds(const ThreadSlot& slot, const Ledger& ledger, std::uint64_t lock) {
  const std::uint64_t depth = depth_of(slot.state.load(std::memory_order_acquire));
  for (std::uint64_t i = 0; i < depth && i < kInlineHolds; ++i) {
    if (slot.holds[i].lock.load(std::memory_order_acquire) == lock) return true;
  }
  return deep::find(slot, ledger, lock) != nullptr;
}

ThreadSlot* find_holder(Ledger& ledger, std::uint64_t lock) {
  const std::uint64_t used = std::min(ledger.slots_used(), kSlotsSearched);
  for (std::uint64_t i = 0; i < used; ++i) {
    ThreadSlot& slot = ledger.slot(i);
    if (&slot != current_slot && holds(slot, ledger, lock)) return &slot;
  }
  return nullptr;
}

}  // namespace

LockRecord* note_contention(ThreadSlot& slot, LockKind kind, std::uint64_t lock,
                            std::uint64_t site) {
  slot.contended.store(slot.contended.load(std::memory_order_relaxed) + 1,
                       std::memory_order_relaxed);
  Ledger* const here = ledger();
  if (here == nullptr) return nullptr;
  const ErrnoKept errno_kept;
  LockRecord* const record = LockTable(*here).matters(lock, kind, site);
  if (record != nullptr) record->contended.fetch_add(1, std::memory_order_relaxed);
  return record;
}

void note_long_wait(const ThreadSlot& slot, LockRecord& record, std::uint32_t ticks) {
  record.waited_ns.fetch_add(ticks * kTickNs, std::memory_order_relaxed);
  record.last_holder.store(slot.tid.load(std::memory_order_relaxed), std::memory_order_relaxed);
}

void note_owner_dead(std::uint64_t lock) {
  hold_gone(lock);
}

void release_for_another(std::uint64_t lock, LockKind kind, std::uint32_t owner, std::uint64_t site,
                         bool owner_counts) {
  Ledger* const here = ledger();
  if (here == nullptr) {
    hold_gone(lock);  // a forked child may have been told that a thread of its parent holds it
    return;
  }
  const ErrnoKept errno_kept;
  ThreadSlot* holder = here->find_tid(owner);
  if (holder != nullptr && holds(*holder, *here, lock)) {
    // libc and the ledger agree on who has it.
    if (owner_counts) note_misuse({MisuseKind::kUnlockByOther, kind, lock, site, owner});
  } else {
    if (Departures departures(*here); departures.any() && departures.forget(lock)) return;
    holder = find_holder(*here, lock);
  }
  if (holder == nullptr) {
    here->count(k_releases_unmatched);
  } else if (!HoldStack::post(*holder, lock)) {
    here->count(k_releases_postponed);
  }
}

}  // namespace impasse
