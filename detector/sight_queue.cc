#include "detector/sight_queue.h"

#include <algorithm>

#include "detector/free_stack.h"

namespace impasse {
namespace {

SightedLock lock_of(const RawSightedLock& raw) {
  const auto traits = static_cast<std::uint8_t>(raw.site >> kTraitShift);
  SightedLock lock;
  lock.life = {raw.address, raw.record, raw.generation};
  lock.kind = static_cast<LockKind>(traits & hold_trait::kKindMask);
  lock.shared = (traits & hold_trait::kShared) != 0;
  lock.tried = (traits & hold_trait::kTry) != 0;
  lock.timed = (traits & hold_trait::kTimed) != 0;
  lock.prefers_writers = (raw.marks & sight_mark::kPrefersWriters) != 0;
  lock.on_stack = (raw.marks & sight_mark::kOnStack) != 0;
  lock.site = raw.site & kSiteMask;
  lock.birth = raw.birth;
  lock.stack_low = static_cast<std::uint32_t>(raw.stamp >> 32);
  lock.tick = static_cast<std::uint32_t>(raw.stamp);
  return lock;
}

}  // namespace

RawSight* SightQueue::open_place() {
  std::atomic<std::uint64_t>& used = ledger_.header().sights_used;
  const GrowthTurn turn(ledger_.growth());
  const std::uint64_t number = used.load(std::memory_order_relaxed);
  if (!turn || number >= ledger_.sight_capacity()) return nullptr;
  RawSight& sight = ledger_.sight(number);
  if (!ledger_.growth().reserve(&sight, sizeof sight)) return nullptr;
  sight.stage.store(kSightBeingWritten, std::memory_order_relaxed);
  used.store(number + 1, std::memory_order_release);
  return &sight;
}

RawSight* SightQueue::claim() {
  LedgerHeader& header = ledger_.header();
  const std::uint64_t capacity = ledger_.sight_capacity();
  if (header.sights_taken.load(std::memory_order_relaxed) < capacity) {
    // Counted before it is taken off the list and after it is put back: who is let in finds one.
    if (header.sights_taken.fetch_add(1, std::memory_order_acq_rel) < capacity) {
      const auto next = [this](std::uint32_t number) -> std::atomic<std::uint32_t>& {
        return ledger_.sight(number).next_free;
      };
      const std::int64_t number = free_stack::pop(header.free_sight, next);
      RawSight* const sight =
          number < 0 ? open_place() : &ledger_.sight(static_cast<std::uint64_t>(number));
      if (sight != nullptr) {
        sight->stage.store(kSightBeingWritten, std::memory_order_relaxed);
        return sight;
      }
    }
    header.sights_taken.fetch_sub(1, std::memory_order_acq_rel);
  }
  postpone();
  return nullptr;
}

bool SightQueue::tell(RawSight& sight) {
  sight.stage.store(kSightTold, std::memory_order_release);
  LedgerHeader& header = ledger_.header();
  return header.sights_taken.load(std::memory_order_relaxed) >= ledger_.sight_capacity() / 2 &&
         header.sights_hurried.load(std::memory_order_relaxed) == 0 &&
         header.sights_hurried.exchange(1, std::memory_order_acq_rel) == 0;
}

void SightQueue::release(RawSight& sight) {
  LedgerHeader& header = ledger_.header();
  sight.stage.store(kSightFree, std::memory_order_release);
  const auto next = [this](std::uint32_t number) -> std::atomic<std::uint32_t>& {
    return ledger_.sight(number).next_free;
  };
  const auto number = static_cast<std::uint32_t>(&sight - &ledger_.sight(0));
  free_stack::push(header.free_sight, number, next);
  header.sights_taken.fetch_sub(1, std::memory_order_acq_rel);
}

OrderSight sight_of(const RawSight& raw) {
  OrderSight sight;
  sight.thread = raw.thread;
  sight.tid = raw.tid;
  sight.moment = raw.moment;
  sight.when_ns = raw.when_ns;
  sight.path = raw.path;
  sight.wanted = lock_of(raw.wanted);
  sight.again = raw.again != 0;
  const std::size_t count = std::min<std::size_t>(raw.held_count, kInlineHolds);
  sight.held.reserve(count);
  for (std::size_t i = 0; i < count; ++i) sight.held.push_back(lock_of(raw.held[i]));
  return sight;
}

}  // namespace impasse
