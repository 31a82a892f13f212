#include "detector/call_tally.h"

#include "detector/lock_table.h"

namespace impasse {
namespace {

constexpr std::uint64_t kFree = 0;
constexpr std::uint64_t kBeingWritten = 1;
constexpr int kKeyPatience = 16;    // looks at a key that is being written
constexpr int kRaisePatience = 64;  // tries, each lost to another thread's larger value

std::uint64_t hash_of(std::uint64_t lock, std::uint64_t site) {
  const std::uint64_t mixed = (lock ^ site * 0x9e37'79b9'7f4a'7c15) * 0xd6e8'feb8'6659'fd93;
  return mixed >> 32;
}

void raise(std::atomic<std::uint64_t>& word, std::uint64_t value) {
  std::uint64_t now = word.load(std::memory_order_relaxed);
  for (int i = 0; i < kRaisePatience && now < value; ++i) {
    if (word.compare_exchange_weak(now, value, std::memory_order_relaxed)) return;
  }
}

// The key's site, once nobody writes it any more; kBeingWritten: he takes too long.
std::uint64_t settled_site(const CallRecord& record) {
  std::uint64_t site = record.site.load(std::memory_order_acquire);
  for (int i = 0; i < kKeyPatience && site == kBeingWritten; ++i) {
    __builtin_ia32_pause();
    site = record.site.load(std::memory_order_acquire);
  }
  return site;
}

}  // namespace

void CallTally::note(const EndedCall& call, std::uint64_t lock, std::uint64_t held_site) {
  CallRecord* const record = place_of(lock, call.site);
  const Figures figures{1, call.took_ns, call.took_ns, call.now_ns, held_site};
  if (record == nullptr) {
    keep_for_several(call.site, figures);
    return;
  }
  if (record->life.load(std::memory_order_relaxed) != life_of(lock))
    begin_new_life(*record, lock, call.site);
  add(*record, figures);
}

CallRecord* CallTally::place_of(std::uint64_t lock, std::uint64_t site) {
  for (;;) {
    const std::uint64_t open = ledger_.header().calls_open.load(std::memory_order_acquire);
    CallRecord* idlest = nullptr;
    if (CallRecord* const record = find_or_claim(lock, site, open, idlest)) return record;
    if (grow(open)) continue;
    return idlest == nullptr ? nullptr : take_over(*idlest, lock, site);
  }
}

// Levels double: 64 records, the next 64, the next 128, …; a key has one bucket in each.
CallRecord* CallTally::find_or_claim(std::uint64_t lock, std::uint64_t site, std::uint64_t open,
                                     CallRecord*& idlest) {
  const std::uint64_t hash = hash_of(lock, site);
  const unsigned first = lock == 0 ? kBucket - 1 : 0;
  const unsigned end = lock == 0 ? kBucket : kBucket - 1;
  std::uint64_t idle_since = ~std::uint64_t{0};
  std::uint64_t level = 0;
  for (std::uint64_t size = kFirstLevel; level < open; level += size, size = level) {
    const std::uint64_t bucket = level + hash % (size / kBucket) * kBucket;
    for (unsigned i = first; i < end; ++i) {
      CallRecord& record = ledger_.call(bucket + i);
      std::uint64_t there = record.site.load(std::memory_order_acquire);
      if (there == kFree &&
          record.site.compare_exchange_strong(there, kBeingWritten, std::memory_order_acq_rel)) {
        record.lock.store(lock, std::memory_order_relaxed);
        record.life.store(life_of(lock), std::memory_order_relaxed);
        record.site.store(site, std::memory_order_release);  // INV-CALL-1
        return &record;
      }
      there = settled_site(record);
      if (there == site && record.lock.load(std::memory_order_relaxed) == lock) return &record;
      const std::uint64_t last = record.last_ns.load(std::memory_order_relaxed);
      if (lock != 0 && there != kBeingWritten && last < idle_since) {
        idle_since = last;
        idlest = &record;
      }
    }
  }
  return nullptr;
}

// True: there are more levels than `open`.
bool CallTally::grow(std::uint64_t open) {
  std::atomic<std::uint64_t>& opened = ledger_.header().calls_open;
  const std::uint64_t more = open == 0 ? kFirstLevel : open;
  if (open + more > ledger_.call_capacity() || (may_grow_ != nullptr && !may_grow_())) return false;
  const GrowthTurn turn(ledger_.growth());
  if (!turn) return false;
  if (opened.load(std::memory_order_relaxed) > open) return true;
  if (!ledger_.growth().reserve(&ledger_.call(open), more * sizeof(CallRecord))) return false;
  opened.store(open + more, std::memory_order_release);
  return true;
}

CallRecord* CallTally::take_over(CallRecord& idlest, std::uint64_t lock, std::uint64_t site) {
  std::uint64_t former = settled_site(idlest);
  if (former == kBeingWritten ||
      !idlest.site.compare_exchange_strong(former, kBeingWritten, std::memory_order_acq_rel)) {
    return nullptr;
  }
  const Figures figures = taken_out_of(idlest);
  idlest.lock.store(lock, std::memory_order_relaxed);
  idlest.life.store(life_of(lock), std::memory_order_relaxed);
  idlest.site.store(site, std::memory_order_release);  // INV-CALL-1
  keep_for_several(former, figures);
  return &idlest;
}

void CallTally::begin_new_life(CallRecord& record, std::uint64_t lock, std::uint64_t site) {
  std::uint64_t former = record.life.load(std::memory_order_relaxed);
  // Not known so far: it is the lock that only now began to matter.
  if (record.life.compare_exchange_strong(former, life_of(lock), std::memory_order_relaxed) &&
      former != 0) {
    keep_for_several(site, taken_out_of(record));
  }
}

// Number of its record and which of that record's lives; 0: it does not matter so far.
std::uint64_t CallTally::life_of(std::uint64_t lock) const {
  if (lock == 0) return 0;
  const LockTable locks(ledger_);
  const LockRecord* const record = locks.find(lock);
  if (record == nullptr) return 0;
  const std::uint32_t generation = record->generation.load(std::memory_order_acquire);
  if ((generation & 1) == 0) return 0;
  return (std::uint64_t{locks.number_of(*record)} + 1) << 32 | generation;
}

void CallTally::keep_for_several(std::uint64_t site, const Figures& figures) {
  // Another thread may have been between its count and its time when they were taken out.
  if (figures.count == 0 && figures.sum_ns == 0) return;
  if (CallRecord* const record = place_of(0, site)) {
    add(*record, figures);
  } else {
    ledger_.count(k_calls_dropped, figures.count);
  }
}

CallTally::Figures CallTally::taken_out_of(CallRecord& record) {
  const auto take = [](std::atomic<std::uint64_t>& word) {
    return word.exchange(0, std::memory_order_relaxed);
  };
  Figures figures{};
  figures.count = take(record.count);
  figures.sum_ns = take(record.sum_ns);
  figures.most_ns = take(record.most_ns);
  figures.last_ns = take(record.last_ns);
  figures.held_site = take(record.held_site);
  return figures;
}

void CallTally::add(CallRecord& record, const Figures& figures) {
  record.held_site.store(figures.held_site, std::memory_order_relaxed);
  record.count.fetch_add(figures.count, std::memory_order_relaxed);
  record.sum_ns.fetch_add(figures.sum_ns, std::memory_order_relaxed);
  raise(record.most_ns, figures.most_ns);
  raise(record.last_ns, figures.last_ns);
}

}  // namespace impasse
