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

// What a record takes with so many bytes after its fixed part.
std::size_t pages_for(std::size_t bytes) {
  return (offsetof(RawSight, rest) + bytes + kPage - 1) / kPage * kPage;
}

}  // namespace

RawSight* SightQueue::pop() {
  const auto next = [this](std::uint32_t n) -> std::atomic<std::uint32_t>& { return next_free(n); };
  const std::int64_t number = free_stack::pop(ledger_.header().free_sight, next);
  return number < 0 ? nullptr : &ledger_.sight(static_cast<std::uint64_t>(number));
}

// One that was never used, or whose memory was given back.
RawSight* SightQueue::open_place(std::size_t bytes) {
  std::atomic<std::uint64_t>& used = ledger_.header().sights_used;
  const GrowthTurn turn(ledger_.growth());
  const std::uint64_t number = used.load(std::memory_order_relaxed);
  if (!turn || number >= ledger_.sight_capacity()) return nullptr;
  RawSight& sight = ledger_.sight(number);
  const std::size_t wanted = pages_for(bytes);
  if (!ledger_.growth().reserve(&sight, wanted)) return nullptr;
  sight.ready_bytes = static_cast<std::uint32_t>(wanted);
  sight.stage.store(kSightBeingWritten, std::memory_order_relaxed);
  used.store(number + 1, std::memory_order_release);
  return &sight;
}

// Nobody else is in the record: no turn is needed.
std::size_t SightQueue::ready(RawSight& sight, std::size_t bytes) {
  const std::size_t wanted = pages_for(bytes);
  const std::size_t there = sight.ready_bytes;
  if (there < wanted) {
    std::byte* const start = reinterpret_cast<std::byte*>(&sight) + there;
    if (ledger_.growth().reserve(start, wanted - there))
      sight.ready_bytes = static_cast<std::uint32_t>(wanted);
  }
  return std::min(bytes, sight.ready_bytes - offsetof(RawSight, rest));
}

// With a page each, which is enough for most: our own thread is hardly faster than who tells.
void SightQueue::open_ahead(std::uint64_t wanted) {
  for (std::uint64_t i = 0; i < ledger_.sight_capacity(); ++i) {
    const std::optional<std::uint64_t> number = next_ahead(wanted);
    if (!number) return;
    RawSight& sight = ledger_.sight(*number);
    if (!ledger_.growth().reserve(&sight, kPage)) {
      unreadable_ = *number;
      return;
    }
    sight.ready_bytes = kPage;
    put_on_list(sight);
  }
}

// A number that is nobody else's. Its memory is had after the turn: threads that tell wait for it,
// and we may lose our processor meanwhile.
std::optional<std::uint64_t> SightQueue::next_ahead(std::uint64_t wanted) {
  LedgerHeader& header = ledger_.header();
  const GrowthTurn turn(ledger_.growth());
  const std::uint64_t used = header.sights_used.load(std::memory_order_relaxed);
  const std::uint64_t taken = header.sights_taken.load(std::memory_order_relaxed);
  if (!turn || unreadable_ < used || used >= ledger_.sight_capacity() || used >= taken + wanted)
    return std::nullopt;
  header.sights_used.store(used + 1, std::memory_order_release);
  return used;
}

bool SightQueue::give_back(std::uint64_t kept, GiveBack how) {
  LedgerHeader& header = ledger_.header();
  const std::uint64_t capacity = ledger_.sight_capacity();
  const GrowthTurn turn(ledger_.growth());
  const std::uint64_t used = header.sights_used.load(std::memory_order_relaxed);
  if (!turn || used <= kept || unreadable_ < used) return false;
  const std::uint64_t part = std::min(used - kept, std::max<std::uint64_t>(capacity / 8, 1));
  const std::uint64_t left = used - part;
  // INV-SIGHT-1: from here on all records are ours, and no late look at a link is under way.
  std::uint64_t nobody = 0;
  if (!header.sights_taken.compare_exchange_strong(nobody, capacity, std::memory_order_acq_rel))
    return false;
  // The count of changes goes on.
  const std::uint64_t head = header.free_sight.load(std::memory_order_relaxed);
  header.free_sight.store(((head >> 32) + 1) << 32, std::memory_order_relaxed);
  for (std::uint64_t number = left; number > 0; --number) put_on_list(ledger_.sight(number - 1));
  header.sights_used.store(left, std::memory_order_release);
  header.sights_taken.fetch_sub(capacity, std::memory_order_acq_rel);
  // Who needs one of these again has to have the turn.
  how(&ledger_.sight(left), part * sizeof(RawSight));
  return left > kept;
}

RawSight* SightQueue::claim(std::size_t bytes) {
  LedgerHeader& header = ledger_.header();
  const std::uint64_t capacity = ledger_.sight_capacity();
  if (header.sights_taken.load(std::memory_order_relaxed) < capacity) {
    // Counted before it is taken off the list and after it is put back: who is let in finds one.
    if (header.sights_taken.fetch_add(1, std::memory_order_acq_rel) < capacity) {
      RawSight* sight = pop();
      if (sight == nullptr) sight = open_place(bytes);
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
  const std::uint64_t taken = header.sights_taken.load(std::memory_order_relaxed);
  return (taken >= ledger_.sight_capacity() / 2 || few_ready()) &&
         header.sights_hurried.load(std::memory_order_relaxed) == 0 &&
         header.sights_hurried.exchange(1, std::memory_order_acq_rel) == 0;
}

void SightQueue::put_on_list(RawSight& sight) {
  sight.stage.store(kSightFree, std::memory_order_release);
  const auto next = [this](std::uint32_t n) -> std::atomic<std::uint32_t>& { return next_free(n); };
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
