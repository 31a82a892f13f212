// The records of the locks that matter (contended, or nested with another), found by address.
//
// Promises: lock-free, any thread, no allocation. A record belongs to one life of a lock: when that
// ends (destroy, its memory freed or unmapped) the record is taken out, its generation grows, and
// it may serve another lock.
#pragma once

#include <cstdint>

#include "detector/ledger.h"
#include "detector/words.h"

namespace impasse {

class LockTable {
 public:
  explicit LockTable(Ledger& ledger) : ledger_(ledger), index_(ledger.lock_index()) {}

  LockRecord* find(std::uint64_t address) const;
  // Mostly one, and more where threads met it at the same instant; visit(LockRecord&) says whether
  // it was the last.
  template <typename Visit>
  static void each_at(const Ledger& ledger, std::uint64_t address, Visit visit) {
    const std::uint64_t hash = granule_hash(address);
    ledger.lock_index().visit(hash, [&](LevelledSet::Word&, std::uint64_t word) {
      if (word >> 32 != hash >> 32) return false;
      LockRecord& record = ledger.lock_record(static_cast<std::uint32_t>(word) - 1);
      return record.address.load(std::memory_order_acquire) == address && visit(record);
    });
  }
  // The record of the lock, made now if it did not matter before. Null: the table is full
  // (counted).
  LockRecord* matters(std::uint64_t address, LockKind kind, std::uint64_t site);

  std::uint32_t number_of(const LockRecord& record) const {
    return static_cast<std::uint32_t>(&record - &ledger_.lock_record(0));
  }

  // The lock at this address is no more. Cheap for one that never mattered.
  void end(std::uint64_t address);
  // No lock in [start, start + bytes) is any more.
  void end_range(std::uint64_t start, std::uint64_t bytes);

 private:
  // Locks this close share a bucket, so that ranges can be searched.
  static constexpr std::uint64_t kGranule = 64;
  static std::uint64_t granule_hash(std::uint64_t address);

  void retire(LevelledSet::Word& place, std::uint64_t word, LockRecord& record);
  void end_page_part(std::uint64_t start, std::uint64_t end);
  LockRecord* fresh_record();

  Ledger& ledger_;
  LevelledSet index_;
};

}  // namespace impasse
