#include "detector/sight_queue.h"

#include <algorithm>
#include <cstring>

#include "detector/free_stack.h"

namespace impasse {
namespace {

SightedLock lock_of(const RawSightedLock& raw, ThreadNumber teller) {
  const std::uint64_t marks = raw.site >> kPhaseShift;
  const auto traits = static_cast<std::uint8_t>(raw.site >> kTraitShift);
  SightedLock lock;
  lock.life = {raw.address, raw.record, raw.generation};
  lock.kind = static_cast<LockKind>(traits & hold_trait::kKindMask);
  lock.shared = (traits & hold_trait::kShared) != 0;
  lock.tried = (traits & hold_trait::kTry) != 0;
  lock.timed = (traits & hold_trait::kTimed) != 0;
  lock.prefers_writers = (marks & sight_mark::kPrefersWriters) != 0;
  lock.on_stack = (marks & sight_mark::kOnStack) != 0;
  lock.stack_of = lock.on_stack ? teller : 0;
  lock.site = raw.site & kSiteMask;
  lock.birth = raw.birth;
  lock.stack_low = static_cast<std::uint32_t>(raw.stamp >> 32);
  lock.tick = static_cast<std::uint32_t>(raw.stamp);
  return lock;
}

}  // namespace

// All that is known of it is its first page.
RawSight* SightQueue::open_place() {
  std::atomic<std::uint64_t>& used = ledger_.header().sights_used;
  const GrowthTurn turn(ledger_.growth());
  const std::uint64_t number = used.load(std::memory_order_relaxed);
  if (!turn || number >= ledger_.sight_capacity()) return nullptr;
  RawSight& sight = ledger_.sight(number);
  if (!ledger_.growth().reserve(&sight, kPage)) return nullptr;
  sight.ready_bytes = kPage;
  sight.stage.store(kSightBeingWritten, std::memory_order_relaxed);
  used.store(number + 1, std::memory_order_release);
  return &sight;
}

// Nobody else is in the record: no turn is needed.
std::size_t SightQueue::ready(RawSight& sight, std::size_t bytes) {
  const std::size_t wanted = (offsetof(RawSight, rest) + bytes + kPage - 1) / kPage * kPage;
  const std::size_t there = sight.ready_bytes;
  if (there < wanted) {
    std::byte* const start = reinterpret_cast<std::byte*>(&sight) + there;
    if (ledger_.growth().reserve(start, wanted - there))
      sight.ready_bytes = static_cast<std::uint32_t>(wanted);
  }
  return std::min(bytes, sight.ready_bytes - offsetof(RawSight, rest));
}

void SightQueue::open_ahead() {
  const LedgerHeader& header = ledger_.header();
  for (std::uint64_t i = 0; i < kept_ready(); ++i) {
    const std::uint64_t taken = header.sights_taken.load(std::memory_order_relaxed);
    if (header.sights_used.load(std::memory_order_relaxed) >= taken + kept_ready()) return;
    RawSight* const sight = open_place();
    if (sight == nullptr) return;
    ready(*sight, sizeof sight->rest);
    put_on_list(*sight);
  }
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
  const std::uint64_t capacity = ledger_.sight_capacity();
  const std::uint64_t taken = header.sights_taken.load(std::memory_order_relaxed);
  const std::uint64_t used = header.sights_used.load(std::memory_order_relaxed);
  const bool few_ready = used < capacity / 2 && used < taken + kept_ready() / 4;
  return (taken >= capacity / 2 || few_ready) &&
         header.sights_hurried.load(std::memory_order_relaxed) == 0 &&
         header.sights_hurried.exchange(1, std::memory_order_acq_rel) == 0;
}

void SightQueue::put_on_list(RawSight& sight) {
  sight.stage.store(kSightFree, std::memory_order_release);
  const auto next = [this](std::uint32_t number) -> std::atomic<std::uint32_t>& {
    return ledger_.sight(number).next_free;
  };
  const auto number = static_cast<std::uint32_t>(&sight - &ledger_.sight(0));
  free_stack::push(ledger_.header().free_sight, number, next);
}

void SightQueue::release(RawSight& sight) {
  put_on_list(sight);
  ledger_.header().sights_taken.fetch_sub(1, std::memory_order_acq_rel);
}

OrderSight sight_of(const RawSight& raw) {
  OrderSight sight;
  sight.thread = raw.thread;
  sight.tid = raw.tid;
  sight.name.assign(raw.name, strnlen(raw.name, sizeof raw.name));
  sight.moment = raw.moment;
  sight.when_ns = raw.when_ns;
  sight.path = raw.path;
  sight.wanted = lock_of(raw.wanted, raw.thread);
  sight.again = raw.again != 0;
  const std::size_t count = raw.held_count;
  if (count > kSightedLocks) return sight;
  sight.held.reserve(count);
  for (std::size_t i = 0; i < count; ++i)
    sight.held.push_back(lock_of(held_in(raw)[i], raw.thread));
  return sight;
}

}  // namespace impasse
