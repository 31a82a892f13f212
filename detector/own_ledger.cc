#include "detector/own_ledger.h"

#include <algorithm>
#include <cstring>

#include "detector/lock_table.h"

namespace impasse {
namespace {

class OwnLedger final : public LedgerSource {
 public:
  explicit OwnLedger(const Ledger& ledger)
      : base_(static_cast<const std::byte*>(ledger.base())), bytes_(ledger.size()) {}
  bool read(std::uint64_t offset, void* buffer, std::size_t bytes) override {
    if (offset > bytes_ || bytes > bytes_ - offset) return false;
    std::memcpy(buffer, base_ + offset, bytes);
    return true;
  }
  std::uint64_t size() override { return bytes_; }

 private:
  const std::byte* base_;
  std::uint64_t bytes_;
};

bool has_no_holder(const WaitFact& wait) {
  return wait.kind != WaitKind::kJoin && !is_held(lock_kind(wait.kind));
}

// After the signals were read: the maker of a thread that has ended since is known here.
void read_awaited_lives(const Ledger& ledger, Snapshot& snapshot) {
  std::vector<std::uint64_t> objects;
  for (const ThreadFact& thread : snapshot.threads) {
    if (thread.wait && has_no_holder(*thread.wait)) objects.push_back(thread.wait->object);
  }
  std::sort(objects.begin(), objects.end());
  objects.erase(std::unique(objects.begin(), objects.end()), objects.end());
  for (const std::uint64_t object : objects) {
    bool first = true;
    LockTable::each_at(ledger, object, [&](const LockRecord& record) {
      const LockFact lock = fact_of(record, object);
      const bool ended = record.address.load(std::memory_order_acquire) != object ||
                         record.generation.load(std::memory_order_relaxed) != lock.generation;
      if (ended || lock.kind > kLastLockKind) return false;
      if (first) {
        snapshot.locks.push_back(lock);
      } else {
        add_life(snapshot.locks.back(), lock);
      }
      first = false;
      return false;
    });
  }
}

}  // namespace

LockFact fact_of(const LockRecord& record, std::uint64_t address) {
  constexpr auto kRelaxed = std::memory_order_relaxed;
  LockFact lock;
  lock.address = address;
  lock.generation = record.generation.load(std::memory_order_acquire);
  lock.kind = static_cast<LockKind>(record.traits.load(kRelaxed) & lock_trait::kKindMask);
  lock.first_site = record.first_site.load(kRelaxed);
  lock.contended = record.contended.load(kRelaxed);
  lock.waited_ns = record.waited_ns.load(kRelaxed);
  lock.last_holder = record.last_holder.load(kRelaxed);
  lock.gone_signallers_maker = record.gone_signallers_maker.load(kRelaxed);
  lock.woken_sites = record.woken_sites.load(kRelaxed);
  return lock;
}

LedgerReading read_own_ledger(const Ledger& ledger) {
  OwnLedger source(ledger);
  LedgerReading reading = read_ledger(source, {.locks = false});
  if (reading.problem.empty()) read_awaited_lives(ledger, reading.snapshot);
  return reading;
}

StatsReading read_own_stats(const Ledger& ledger) {
  OwnLedger source(ledger);
  const LedgerReading reading = read_ledger(source, {.locks = false});
  if (reading.problem.empty()) return read_stats(source, reading);
  StatsReading failed;
  failed.problem = reading.problem;
  return failed;
}

}  // namespace impasse
