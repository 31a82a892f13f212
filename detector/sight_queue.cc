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

// Readied with one call: by who tells, whom a longer one would keep; by our own thread.
constexpr std::uint64_t kTellerOpens = 4;
constexpr std::uint64_t kWeOpen = 16;

}  // namespace

RawSight* SightQueue::pop() {
  const auto next = [this](std::uint32_t n) -> std::atomic<std::uint32_t>& { return next_free(n); };
  const std::int64_t number = free_stack::pop(ledger_.header().free_sight, next);
  return number < 0 ? nullptr : &ledger_.sight(static_cast<std::uint64_t>(number));
}

// Takes the memory of records into use that were never used, or whose memory was given back.
bool SightQueue::open(Range range) const {
  RawSight* const first = &ledger_.sight(range.first);
  if (!ledger_.growth().reserve(first, range.count * sizeof(RawSight))) return false;
  for (RawSight& sight : std::span(first, range.count)) {
    sight.tail_bytes = 0;
    sight.stage.store(kSightFree, std::memory_order_relaxed);
  }
  return true;
}

// One for who tells; those beside it are free for the next.
RawSight* SightQueue::open_some() {
  std::atomic<std::uint64_t>& used = ledger_.header().sights_used;
  const GrowthTurn turn(ledger_.growth());
  const std::uint64_t number = used.load(std::memory_order_relaxed);
  if (!turn || number >= ledger_.sight_capacity()) return nullptr;
  std::uint64_t count = std::min(kTellerOpens, ledger_.sight_capacity() - number);
  if (!open({number, count})) {
    if (!open({number, 1})) return nullptr;
    count = 1;
  }
  used.store(number + count, std::memory_order_release);
  for (std::uint64_t i = 1; i < count; ++i) put_on_list(ledger_.sight(number + i));
  return &ledger_.sight(number);
}

// Nobody else is in the record: no turn is needed.
std::size_t SightQueue::ready(RawSight& sight, std::size_t bytes) {
  sight.in_tail = 0;
  if (bytes <= sizeof sight.rest) return bytes;
  const std::size_t wanted = (bytes + kPage - 1) / kPage * kPage;
  const std::size_t there = sight.tail_bytes;
  if (there < wanted) {
    std::uint8_t* const start = ledger_.sight_tail(number_of(sight)).rest + there;
    if (!ledger_.growth().reserve(start, wanted - there)) return sizeof sight.rest;
    sight.tail_bytes = static_cast<std::uint32_t>(wanted);
  }
  sight.in_tail = 1;
  return bytes;
}

// Without tails: most do without, and our own thread is hardly faster than who tells.
void SightQueue::open_ahead(std::uint64_t wanted) {
  for (std::uint64_t i = 0; i < ledger_.sight_capacity(); ++i) {
    const Range range = next_ahead(wanted);
    if (range.count == 0) return;
    if (!open(range)) {
      unreadable_ = range;
      return;
    }
    for (std::uint64_t k = 0; k < range.count; ++k) put_on_list(ledger_.sight(range.first + k));
  }
}

// Numbers that are nobody else's. Their memory is had after the turn: threads that tell wait for
// it, and we may lose our processor meanwhile.
SightQueue::Range SightQueue::next_ahead(std::uint64_t wanted) {
  LedgerHeader& header = ledger_.header();
  const GrowthTurn turn(ledger_.growth());
  const std::uint64_t used = header.sights_used.load(std::memory_order_relaxed);
  const std::uint64_t end = std::min(ledger_.sight_capacity(),
                                     header.sights_taken.load(std::memory_order_relaxed) + wanted);
  if (!turn || unreadable_.count != 0 || used >= end) return {};
  const std::uint64_t count = std::min(kWeOpen, end - used);
  header.sights_used.store(used + count, std::memory_order_release);
  return {used, count};
}

bool SightQueue::give_back(std::uint64_t kept, GiveBack how) {
  LedgerHeader& header = ledger_.header();
  const std::uint64_t capacity = ledger_.sight_capacity();
  const GrowthTurn turn(ledger_.growth());
  const std::uint64_t used = header.sights_used.load(std::memory_order_relaxed);
  if (!turn || used <= kept || unreadable_.count != 0) return false;
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
  how(&ledger_.sight_tail(left), part * sizeof(SightTail));
  return left > kept;
}

RawSight* SightQueue::claim() {
  LedgerHeader& header = ledger_.header();
  const std::uint64_t capacity = ledger_.sight_capacity();
  if (header.sights_taken.load(std::memory_order_relaxed) < capacity) {
    // Counted before it is taken off the list and after it is put back: who is let in finds one.
    if (header.sights_taken.fetch_add(1, std::memory_order_acq_rel) < capacity) {
      RawSight* sight = pop();
      if (sight == nullptr) sight = open_some();
      if (sight != nullptr) {
        sight->stage.store(kSightBeingWritten, std::memory_order_relaxed);
        sight->in_tail = 0;
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
  free_stack::push(ledger_.header().free_sight, static_cast<std::uint32_t>(number_of(sight)), next);
}

void SightQueue::release(RawSight& sight) {
  put_on_list(sight);
  ledger_.header().sights_taken.fetch_sub(1, std::memory_order_acq_rel);
}

OrderSight sight_of(const RawSight& raw, std::span<const std::uint8_t> rest) {
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
  if (count > kSightedLocks || count * sizeof(RawSightedLock) > rest.size()) return sight;
  sight.held.reserve(count);
  const auto* const held = reinterpret_cast<const RawSightedLock*>(rest.data());
  for (std::size_t i = 0; i < count; ++i) sight.held.push_back(lock_of(held[i], raw.thread));
  return sight;
}

}  // namespace impasse
