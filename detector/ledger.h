// The writing side of a ledger: hands out its parts to the threads of the process that it belongs
// to.
//
// Promises: works in memory that it is given, without a lock, an allocation or a system call of its
// own; memory is reserved through the function it is given before it is first written. Any thread
// may call anything here, also from a signal handler, except where a thread's own slot is meant.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "detector/growth.h"
#include "detector/ledger_layout.h"
#include "detector/levelled_set.h"
#include "detector/order_sight.h"
#include "detector/seen_set.h"

namespace impasse {

// How much a ledger can hold; it is sparse, so most of it costs nothing.
struct Geometry {
  std::uint64_t slots;
  std::uint64_t locks;
  unsigned set_levels;
  std::uint64_t departures;
  std::uint64_t deep_bytes;
  std::uint64_t incidents;
  std::uint64_t sights;
  std::uint64_t lives;      // a power of two
  std::uint64_t calls;      // likewise
  std::uint64_t stats = 0;  // likewise
};
inline constexpr Geometry kFullGeometry{16'384, 1'048'576, 5,      4'096, std::uint64_t{256} << 20,
                                        64,     256,       16'384, 4'096, 8'192};
// Where address space is short (ulimit -v).
inline constexpr Geometry kSmallGeometry{1'024, 65'536, 4,   256, std::uint64_t{2} << 20,
                                         16,    32,     512, 256, 512};

struct ProcessFacts {
  std::uint32_t pid;
  std::string_view program;
  std::string_view version;
  std::uint64_t monotonic_ns;
  std::uint64_t wall_ns;
  std::uint64_t process_start;
};

class Ledger {
 public:
  static std::size_t bytes(const Geometry& geometry);

  // Writes header and regions into `base`, which is zero and bytes(geometry) long. False: nothing
  // could be reserved.
  bool format(void* base, const Geometry& geometry, Reserve how, const ProcessFacts& facts);

  void* base() const { return base_; }
  std::size_t size() const { return header_->total_bytes; }
  LedgerHeader& header() const { return *header_; }

  void count(Counter counter, std::uint64_t by = 1) {
    header_->counters[counter].fetch_add(by, std::memory_order_relaxed);
  }

  // ---- threads
  // A slot with empty records and life kStarting; null when all are taken. Last in, first out.
  ThreadSlot* claim_slot();
  void release_slot(ThreadSlot& slot);
  ThreadSlot& slot(std::uint64_t number) const;
  std::uint64_t slots_used() const { return header_->slots_used.load(std::memory_order_acquire); }

  void enter_tid(std::uint32_t tid, const ThreadSlot& slot);
  void leave_tid(std::uint32_t tid);
  ThreadSlot* find_tid(std::uint32_t tid) const;

  // The main thread's number is 1, whenever it is met.
  static constexpr ThreadNumber kMainThread = 1;
  ThreadNumber next_thread_number() {
    return static_cast<ThreadNumber>(
        header_->threads_counted.fetch_add(1, std::memory_order_relaxed) + 1 + kMainThread);
  }
  // One sequence for births, joins, ends and sights of all threads.
  std::uint64_t next_moment() {
    return header_->moments.fetch_add(1, std::memory_order_acq_rel) + 1;
  }

  // ---- memory for tables of deep holds: 2^size_class pages
  void* claim_pages(unsigned size_class);
  void release_pages(void* pages, unsigned size_class);
  std::uint64_t offset_of(const void* p) const {
    return static_cast<std::uint64_t>(static_cast<const std::byte*>(p) - base_);
  }
  template <typename T>
  T* at(std::uint64_t offset) const {
    return reinterpret_cast<T*>(base_ + offset);
  }

  SeenSet& known_orders() { return known_orders_; }
  LevelledSet lock_index() const { return lock_index_; }
  LockRecord& lock_record(std::uint64_t number) const { return locks_[number]; }
  std::uint64_t lock_capacity() const { return header_->region[kLocks].capacity; }
  Departure& departure(std::uint64_t number) const { return departures_[number]; }
  std::uint64_t departure_capacity() const { return header_->region[kDepartures].capacity; }
  Incident& incident(std::uint64_t number) const {
    return *at<Incident>(header_->region[kIncidents].offset + number * sizeof(Incident));
  }
  std::uint64_t incident_capacity() const { return header_->region[kIncidents].capacity; }
  RawSight& sight(std::uint64_t number) const {
    return *at<RawSight>(header_->region[kSights].offset + number * sizeof(RawSight));
  }
  SightTail& sight_tail(std::uint64_t number) const {
    return *at<SightTail>(header_->region[kSightTails].offset + number * sizeof(SightTail));
  }
  std::uint64_t sight_capacity() const { return header_->region[kSights].capacity; }
  RawLife& life(std::uint64_t number) const {
    return *at<RawLife>(header_->region[kLives].offset + number * sizeof(RawLife));
  }
  std::uint64_t life_capacity() const { return header_->region[kLives].capacity; }
  CallRecord& call(std::uint64_t number) const {
    return *at<CallRecord>(header_->region[kCalls].offset + number * sizeof(CallRecord));
  }
  std::uint64_t call_capacity() const { return header_->region[kCalls].capacity; }
  const Growth& growth() const { return growth_; }

 private:
  std::uint64_t slot_number(const ThreadSlot& slot) const;

  std::byte* base_ = nullptr;
  LedgerHeader* header_ = nullptr;
  std::atomic<std::uint64_t>* tids_ = nullptr;
  LockRecord* locks_ = nullptr;
  Departure* departures_ = nullptr;
  Growth growth_;
  LevelledSet lock_index_;
  SeenSet known_orders_;
};

}  // namespace impasse
