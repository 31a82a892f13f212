#include "detector/ledger.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "detector/clock.h"
#include "detector/free_stack.h"
#include "detector/stats_block.h"

namespace impasse {
namespace {

constexpr std::size_t kTidWindow = 64;  // how far from its home a tid may stand

struct Plan {
  Region region[kRegions];
  std::uint64_t total;
};

Plan plan(const Geometry& g) {
  const std::uint64_t places = LevelledSet::places(g.set_levels);
  const Region wanted[kRegions] = {
      {0, kSlotStride, g.slots},
      {0, sizeof(std::uint64_t), std::bit_ceil(2 * g.slots)},
      {0, sizeof(LockRecord), g.locks},
      {0, sizeof(std::uint64_t), places},
      {0, sizeof(std::uint64_t), places},
      {0, sizeof(Departure), g.departures},
      {0, kPage, g.deep_bytes / kPage},
      {0, sizeof(Incident), g.incidents},
      {0, sizeof(RawSight), g.sights},
      {0, sizeof(RawLife), g.lives},
      {0, sizeof(CallRecord), g.calls},
      {0, sizeof(StatRow), g.stats},
      {0, sizeof(std::uint32_t), 2 * g.stats},
      {0, kPage, kStatMapPages},
      {0, sizeof(SightTail), g.sights},
  };
  Plan result{};
  std::uint64_t offset = kPage;  // the header's
  for (unsigned i = 0; i < kRegions; ++i) {
    result.region[i] = wanted[i];
    result.region[i].offset = offset;
    offset += (wanted[i].stride * wanted[i].capacity + kPage - 1) / kPage * kPage;
  }
  result.total = offset;
  return result;
}

void copy_text(char* to, std::size_t bytes, std::string_view text) {
  const std::size_t n = std::min(bytes - 1, text.size());
  std::memcpy(to, text.data(), n);
  to[n] = '\0';
}

template <typename T>
void zero(T& word) {
  word.store(0, std::memory_order_relaxed);
}

}  // namespace

std::size_t Ledger::bytes(const Geometry& geometry) {
  return plan(geometry).total;
}

bool Ledger::format(void* base, const Geometry& geometry, Reserve how, const ProcessFacts& facts) {
  const Plan p = plan(geometry);
  const Region& tids = p.region[kTids];
  base_ = static_cast<std::byte*>(base);
  header_ = static_cast<LedgerHeader*>(base);
  growth_ = {how, &header_->growing};
  if (!how(base, kPage) || !how(base_ + tids.offset, tids.capacity * tids.stride)) return false;

  header_->version = kLedgerVersion;
  header_->header_bytes = sizeof(LedgerHeader);
  header_->total_bytes = p.total;
  header_->pid = facts.pid;
  header_->regions = kRegions;
  std::copy(std::begin(p.region), std::end(p.region), header_->region);
  copy_text(header_->program, sizeof header_->program, facts.program);
  copy_text(header_->library_version, sizeof header_->library_version, facts.version);
  header_->started_ns = facts.monotonic_ns;
  header_->started_wall = facts.wall_ns;
  header_->process_start = facts.process_start;
  header_->tick_ns = kTickNs;
  header_->now_ns.store(facts.monotonic_ns, std::memory_order_relaxed);

  tids_ = at<std::atomic<std::uint64_t>>(tids.offset);
  locks_ = at<LockRecord>(p.region[kLocks].offset);
  departures_ = at<Departure>(p.region[kDepartures].offset);
  lock_index_ = {at<LevelledSet::Word>(p.region[kLockIndex].offset), &header_->lock_index_levels,
                 geometry.set_levels, growth_};
  known_orders_ = {at<LevelledSet::Word>(p.region[kKnownOrders].offset),
                   &header_->known_orders_levels, geometry.set_levels, growth_};
  // The magic comes last: with it the ledger is whole.
  __atomic_store_n(&header_->magic, kLedgerMagic, __ATOMIC_RELEASE);
  return true;
}

ThreadSlot& Ledger::slot(std::uint64_t number) const {
  return *at<ThreadSlot>(header_->region[kSlots].offset + number * kSlotStride);
}

std::uint64_t Ledger::slot_number(const ThreadSlot& slot) const {
  return (offset_of(&slot) - header_->region[kSlots].offset) / kSlotStride;
}

ThreadSlot* Ledger::claim_slot() {
  const auto next = [this](std::uint32_t number) -> std::atomic<std::uint32_t>& {
    return slot(number).next_free;
  };
  std::int64_t number = free_stack::pop(header_->free_slot, next);
  if (number < 0) {
    const GrowthTurn turn(growth_);
    const std::uint64_t fresh = slots_used();
    if (!turn || fresh >= header_->region[kSlots].capacity ||
        !growth_.reserve(&slot(fresh), kSlotBytes)) {
      count(k_threads_without_slot);
      return nullptr;
    }
    header_->slots_used.store(fresh + 1, std::memory_order_release);
    number = static_cast<std::int64_t>(fresh);
  }
  ThreadSlot& claimed = slot(static_cast<std::uint64_t>(number));
  claimed.life.store(static_cast<std::uint32_t>(ThreadLife::kStarting), std::memory_order_release);
  return &claimed;
}

void Ledger::release_slot(ThreadSlot& slot) {
  slot.life.store(static_cast<std::uint32_t>(ThreadLife::kFree), std::memory_order_relaxed);
  zero(slot.tid);
  zero(slot.thread);
  if (const std::uint64_t deep = slot.deep.load(std::memory_order_relaxed); deep != 0) {
    const std::uint64_t places = slot.deep_size.load(std::memory_order_relaxed) >> 32;
    release_pages(at<void>(deep),
                  static_cast<unsigned>(std::countr_zero(places * sizeof(DeepHold) / kPage)));
    zero(slot.deep);
    zero(slot.deep_size);
  }
  release_stats(*this, slot);
  for (Hold& hold : slot.holds) zero(hold.lock);
  for (auto& letter : slot.mailbox) zero(letter);
  for (auto& word : slot.name) zero(word);
  zero(slot.name_known);
  zero(slot.contended);
  zero(slot.entry);
  zero(slot.argument);
  zero(slot.number);
  zero(slot.maker);
  zero(slot.born);
  zero(slot.made_at);
  zero(slot.stack_low);
  zero(slot.stack_high);
  zero(slot.lowest_stack_lock);
  zero(slot.order_phase);
  for (SignalRecord& signal : slot.signals) zero(signal.object);
  for (auto& key : slot.signal_keys) zero(key);
  if (slot.more_signals_ready.load(std::memory_order_relaxed) != 0) {
    for (SignalRecord& signal : slot.more_signals) zero(signal.object);
  }
  zero(slot.signals_lost);
  for (auto& place : slot.touched) zero(place);
  zero(slot.woken_life);
  if (slot.seen_dirty.load(std::memory_order_relaxed) != 0) {
    for (auto& order : slot.seen) zero(order);
    zero(slot.seen_dirty);
  }
  // The count of changes lives on: a reader that looks across two lives of the slot sees that it
  // did.
  const std::uint64_t state = slot.state.load(std::memory_order_relaxed);
  slot.state.store((state & ~kRefuseMask) + kStateStep, std::memory_order_relaxed);
  const std::uint64_t wait = slot.wait.sequence.load(std::memory_order_relaxed);
  slot.wait.sequence.store((wait | 1) + 1, std::memory_order_relaxed);
  const auto next = [this](std::uint32_t number) -> std::atomic<std::uint32_t>& {
    return this->slot(number).next_free;
  };
  free_stack::push(header_->free_slot, static_cast<std::uint32_t>(slot_number(slot)), next);
}

void Ledger::enter_tid(std::uint32_t tid, const ThreadSlot& slot) {
  const std::uint64_t mask = header_->region[kTids].capacity - 1;
  const std::uint64_t entry = std::uint64_t{tid} << 32 | (slot_number(slot) + 1);
  for (std::size_t i = 0; i < kTidWindow; ++i) {
    std::uint64_t empty = 0;
    if (tids_[(tid + i) & mask].compare_exchange_strong(empty, entry, std::memory_order_acq_rel))
      return;
  }
}

void Ledger::leave_tid(std::uint32_t tid) {
  const std::uint64_t mask = header_->region[kTids].capacity - 1;
  for (std::size_t i = 0; i < kTidWindow; ++i) {
    std::atomic<std::uint64_t>& place = tids_[(tid + i) & mask];
    if (place.load(std::memory_order_relaxed) >> 32 == tid)
      place.store(0, std::memory_order_release);
  }
}

ThreadSlot* Ledger::find_tid(std::uint32_t tid) const {
  const std::uint64_t mask = header_->region[kTids].capacity - 1;
  for (std::size_t i = 0; i < kTidWindow && tid != 0; ++i) {
    const std::uint64_t entry = tids_[(tid + i) & mask].load(std::memory_order_acquire);
    if (entry >> 32 == tid) return &slot(static_cast<std::uint32_t>(entry) - 1);
  }
  return nullptr;
}

void* Ledger::claim_pages(unsigned size_class) {
  const Region& region = header_->region[kDeepHolds];
  const auto link = [this, &region](std::uint32_t page) -> std::atomic<std::uint64_t>& {
    return *at<std::atomic<std::uint64_t>>(region.offset + std::uint64_t{page} * kPage);
  };
  if (const std::int64_t page = free_stack::pop(header_->deep_free[size_class], link); page >= 0) {
    return at<void>(region.offset + static_cast<std::uint64_t>(page) * kPage);
  }
  const GrowthTurn turn(growth_);
  const std::uint64_t bytes = kPage << size_class;
  const std::uint64_t used = header_->deep_used.load(std::memory_order_relaxed);
  std::byte* const pages = base_ + region.offset + used;
  if (!turn || used + bytes > region.capacity * kPage || !growth_.reserve(pages, bytes))
    return nullptr;
  header_->deep_used.store(used + bytes, std::memory_order_release);
  return pages;
}

void Ledger::release_pages(void* pages, unsigned size_class) {
  const Region& region = header_->region[kDeepHolds];
  const auto link = [this, &region](std::uint32_t page) -> std::atomic<std::uint64_t>& {
    return *at<std::atomic<std::uint64_t>>(region.offset + std::uint64_t{page} * kPage);
  };
  const std::uint64_t page = (offset_of(pages) - region.offset) / kPage;
  free_stack::push(header_->deep_free[size_class], static_cast<std::uint32_t>(page), link);
}

}  // namespace impasse
