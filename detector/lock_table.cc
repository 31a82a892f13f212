#include "detector/lock_table.h"

#include <algorithm>
#include <bit>

#include "detector/free_stack.h"
#include "detector/lock_salt.h"
#include "detector/page_filter.h"
#include "detector/signal_moment.h"

namespace impasse {
namespace {

constexpr std::uint64_t kRecordsAtOnce = 256;  // reserved together

std::uint64_t index_word(std::uint64_t hash, std::uint64_t number) {
  return (hash >> 32) << 32 | (number + 1);
}

}  // namespace

constinit LockSalts lock_salts;
constinit PageFilter lock_pages;
constinit SignalMoment signal_moment;

LockRecord* LockTable::find(std::uint64_t address) const {
  LockRecord* found = nullptr;
  each_at(ledger_, address, [&found](LockRecord& record) {
    found = &record;
    return true;
  });
  return found;
}

std::uint64_t LockTable::granule_hash(std::uint64_t address) {
  return (address / kGranule) * 0x9e37'79b9'7f4a'7c15;
}

LockRecord* LockTable::fresh_record() {
  LedgerHeader& header = ledger_.header();
  const auto link = [this](std::uint32_t number) -> std::atomic<std::uint32_t>& {
    return ledger_.lock_record(number).next_free;
  };
  if (const std::int64_t number = free_stack::pop(header.free_lock, link); number >= 0) {
    return &ledger_.lock_record(static_cast<std::uint64_t>(number));
  }
  const GrowthTurn turn(ledger_.growth());
  const std::uint64_t fresh = header.locks_used.load(std::memory_order_relaxed);
  if (!turn || fresh >= ledger_.lock_capacity()) return nullptr;
  LockRecord* const record = &ledger_.lock_record(fresh);
  if (fresh % kRecordsAtOnce == 0 &&
      !ledger_.growth().reserve(record, kRecordsAtOnce * sizeof(LockRecord))) {
    return nullptr;
  }
  header.locks_used.store(fresh + 1, std::memory_order_release);
  return record;
}

LockRecord* LockTable::matters(std::uint64_t address, LockKind kind, std::uint64_t site) {
  if (LockRecord* known = find(address)) {
    const std::uint32_t traits = known->traits.load(std::memory_order_relaxed);
    if ((traits & lock_trait::kKindMask) == static_cast<std::uint32_t>(kind)) return known;
    end(address);  // the end of what was there went unseen: memory that was used again without free
  }
  LockRecord* record = fresh_record();
  if (record == nullptr) {
    ledger_.count(k_locks_dropped);
    return nullptr;
  }
  record->traits.store(static_cast<std::uint32_t>(kind), std::memory_order_relaxed);
  record->first_site.store(site & kSiteMask, std::memory_order_relaxed);
  record->contended.store(0, std::memory_order_relaxed);
  record->waited_ns.store(0, std::memory_order_relaxed);
  record->last_holder.store(0, std::memory_order_relaxed);
  record->gone_signallers_maker.store(0, std::memory_order_relaxed);
  record->woken_sites.store(0, std::memory_order_relaxed);
  record->generation.fetch_add(1, std::memory_order_relaxed);
  record->address.store(address, std::memory_order_release);
  // Marked before it can be found: whoever frees the memory from now on comes to look.
  lock_pages.add(address);
  const std::uint64_t hash = granule_hash(address);
  const auto number = static_cast<std::uint64_t>(record - &ledger_.lock_record(0));
  if (index_.insert(hash, index_word(hash, number))) return record;
  lock_pages.remove(address);
  record->address.store(0, std::memory_order_relaxed);
  record->generation.fetch_add(1, std::memory_order_relaxed);
  ledger_.count(k_locks_dropped);
  const auto link = [this](std::uint32_t n) -> std::atomic<std::uint32_t>& {
    return ledger_.lock_record(n).next_free;
  };
  free_stack::push(ledger_.header().free_lock, static_cast<std::uint32_t>(number), link);
  return nullptr;
}

void LockTable::retire(LevelledSet::Word& place, std::uint64_t word, LockRecord& record) {
  const std::uint64_t address = record.address.load(std::memory_order_relaxed);
  // One of several threads that free the same memory does it.
  if (!place.compare_exchange_strong(word, 0, std::memory_order_acq_rel)) return;
  lock_pages.remove(address);
  change_salt(address);
  record.address.store(0, std::memory_order_relaxed);
  record.generation.fetch_add(1, std::memory_order_release);
  const std::uint32_t kind = record.traits.load(std::memory_order_relaxed) & lock_trait::kKindMask;
  if (kind == static_cast<std::uint32_t>(LockKind::kCondition) ||
      kind == static_cast<std::uint32_t>(LockKind::kSemaphore)) {
    renew_signal_moment();
  }
  const auto number = static_cast<std::uint32_t>(&record - &ledger_.lock_record(0));
  const auto link = [this](std::uint32_t n) -> std::atomic<std::uint32_t>& {
    return ledger_.lock_record(n).next_free;
  };
  free_stack::push(ledger_.header().free_lock, number, link);
}

void LockTable::end(std::uint64_t address) {
  if (lock_pages.may_hold_locks(address)) end_page_part(address, address + 1);
}

void LockTable::end_range(std::uint64_t start, std::uint64_t bytes) {
  const std::uint64_t end = start + bytes;
  const std::uint64_t used = ledger_.header().locks_used.load(std::memory_order_acquire);
  if (used == 0) return;
  if (bytes / kPage > used) {  // fewer records than pages: go through the records
    for (std::uint64_t i = 0; i < used; ++i) {
      const std::uint64_t address = ledger_.lock_record(i).address.load(std::memory_order_acquire);
      if (address >= start && address < end) end_page_part(address, address + 1);
    }
    return;
  }
  for (std::uint64_t page = start; page < end; page = (page / kPage + 1) * kPage) {
    if (lock_pages.may_hold_locks(page))
      end_page_part(page, std::min(end, (page / kPage + 1) * kPage));
  }
}

void LockTable::end_page_part(std::uint64_t start, std::uint64_t end) {
  for (std::uint64_t granule = start / kGranule; granule * kGranule < end; ++granule) {
    const std::uint64_t hash = granule_hash(granule * kGranule);
    index_.visit(hash, [&](LevelledSet::Word& place, std::uint64_t word) {
      if (word >> 32 != hash >> 32) return false;
      LockRecord& record = ledger_.lock_record(static_cast<std::uint32_t>(word) - 1);
      const std::uint64_t address = record.address.load(std::memory_order_acquire);
      if (address >= start && address < end) retire(place, word, record);
      return false;
    });
  }
}

}  // namespace impasse
