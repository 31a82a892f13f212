// A small ledger in memory, written by hand after ledger_layout.h, for the tests of what reads
// ledgers.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string_view>

#include "detector/ledger_layout.h"
#include "detector/ledger_reader.h"

namespace impasse {

class LedgerImage {
 public:
  static constexpr std::uint64_t kSlotCount = 8;
  static constexpr std::uint64_t kLockCount = 64;
  static constexpr std::uint64_t kDepartureCount = 64;
  static constexpr std::uint64_t kDeepPages = 16;

  LedgerImage() {
    constexpr Region kWanted[kRegions] = {
        {0, kSlotStride, kSlotCount},
        {0, 8, 16},
        {0, sizeof(LockRecord), kLockCount},
        {0, 8, 512},
        {0, 8, 512},
        {0, sizeof(Departure), kDepartureCount},
        {0, kPage, kDeepPages},
        {0, sizeof(Incident), 2},
        {0, sizeof(RawSight), 2},
        {0, sizeof(RawLife), 64},
        {0, sizeof(CallRecord), 16},
        {0, sizeof(StatRow), 16},
        {0, sizeof(std::uint32_t), 32},
        {0, kPage, kStatMapPages},
        {0, sizeof(SightTail), 2},
    };
    std::uint64_t total = kPage;
    Region regions[kRegions];
    for (unsigned i = 0; i < kRegions; ++i) {
      regions[i] = kWanted[i];
      regions[i].offset = total;
      total += (kWanted[i].stride * kWanted[i].capacity + kPage - 1) / kPage * kPage;
    }
    size_ = total;
    bytes_.reset(static_cast<std::byte*>(std::aligned_alloc(kPage, total)));
    std::memset(bytes_.get(), 0, total);
    LedgerHeader& h = header();
    h.magic = kLedgerMagic;
    h.version = kLedgerVersion;
    h.header_bytes = sizeof(LedgerHeader);
    h.total_bytes = total;
    h.pid = 4242;
    h.regions = kRegions;
    for (unsigned i = 0; i < kRegions; ++i) h.region[i] = regions[i];
    put_text(h.program, sizeof h.program, "river-node");
    put_text(h.library_version, sizeof h.library_version, "0.1.0");
    h.started_ns = 1'000'000'000'000;
    h.started_wall = 1'794'530'513'000'000'000;
    h.process_start = 1;  // no process started that early after boot
    h.tick_ns = 10'000'000;
    h.tick = 50'000;
    h.now_ns = 1'500'000'000'000;
  }

  std::byte* bytes() { return bytes_.get(); }
  std::uint64_t size() const { return size_; }
  LedgerHeader& header() { return *reinterpret_cast<LedgerHeader*>(bytes_.get()); }
  template <typename T>
  T& element(RegionName region, std::uint64_t number) {
    const Region& r = header().region[region];
    return *reinterpret_cast<T*>(bytes_.get() + r.offset + number * r.stride);
  }

  // The next slot, with a live thread in it.
  ThreadSlot& thread(std::uint32_t tid, std::string_view name) {
    ThreadSlot& slot = element<ThreadSlot>(kSlots, header().slots_used++);
    slot.tid = tid;
    slot.thread = 0x7f00'0000'0000 + tid;
    slot.life = static_cast<std::uint32_t>(ThreadLife::kLive);
    slot.started_ns = 1'100'000'000'000;
    slot.creator = 4242;
    if (!name.empty()) {
      char text[kNameBytes] = {};
      put_text(text, sizeof text, name);
      std::uint64_t words[2];
      std::memcpy(words, text, sizeof words);
      slot.name[0] = words[0];
      slot.name[1] = words[1];
      slot.name_known = 1;
    }
    return slot;
  }

  static Hold& hold(ThreadSlot& slot, std::uint64_t lock, std::uint8_t traits,
                    std::uint8_t phase = hold_phase::kHeld, std::uint32_t tick = 40'000) {
    const std::uint64_t depth = slot.state & kDepthMask;
    Hold& hold = slot.holds[depth];
    hold.site = site_word(0x5555'0000'1000 + depth, traits, phase);
    hold.stamp = tick | std::uint64_t{0xdead'0000} << 32;
    hold.path = lock * 3;
    hold.lock = lock;
    slot.state = slot.state + kStateStep + 1;
    return hold;
  }

  static void wait(ThreadSlot& slot, WaitKind kind, std::uint64_t object, std::uint64_t partner = 0,
                   std::uint8_t traits = 0) {
    slot.wait.object = object;
    slot.wait.partner = partner;
    slot.wait.site = 0x5555'0000'2000 | static_cast<std::uint64_t>(kind) << kTraitShift |
                     std::uint64_t{traits} << kPhaseShift;
    slot.wait.since_ns = 1'200'000'000'000;
    slot.wait.tick = 20'000;
    for (unsigned i = 0; i < kSavedRegisters; ++i) slot.wait.registers[i] = 0x1000 + i;
    slot.wait.sequence = slot.wait.sequence + 1;
  }

  // A table of one page for the slot.
  static constexpr std::uint64_t kDeepPlaces = kPage / sizeof(DeepHold);
  void deep_table(ThreadSlot& slot, std::uint64_t page) {
    slot.deep = header().region[kDeepHolds].offset + page * kPage;
    slot.deep_size = kDeepPlaces << 32;
  }
  void deep_hold(ThreadSlot& slot, std::uint64_t place, std::uint64_t lock, std::uint64_t levels,
                 std::uint8_t traits = 0) {
    DeepHold& hold = reinterpret_cast<DeepHold*>(bytes_.get() + slot.deep)[place];
    hold.site = site_word(0x5555'0000'3000 + place, traits, hold_phase::kHeld);
    hold.stamp = 30'000;
    hold.levels = levels;
    hold.lock = lock;
    slot.deep_size = slot.deep_size + 1;
  }

  LockRecord& lock(std::uint64_t address, LockKind kind, std::uint64_t contended) {
    LockRecord& record = element<LockRecord>(kLocks, header().locks_used++);
    record.address = address;
    record.generation = 1;
    record.traits = static_cast<std::uint32_t>(kind);
    record.first_site = 0x5555'0000'4000;
    record.contended = contended;
    record.waited_ns = contended * 1'000'000;
    record.last_holder = 77;
    return record;
  }

  Departure& departure(std::uint64_t lock, std::uint32_t tid, DepartureReason reason) {
    Departure& gone = element<Departure>(kDepartures, header().departures_used++);
    gone.site = site_word(0x5555'0000'5000, 0, hold_phase::kHeld);
    gone.stamp = 100;
    gone.tid = tid;
    gone.reason = static_cast<std::uint32_t>(reason);
    gone.when_ns = 1'300'000'000'000;
    gone.lock = lock;
    return gone;
  }

  static std::uint64_t site_word(std::uint64_t pc, std::uint8_t traits, std::uint8_t phase) {
    return pc | std::uint64_t{traits} << kTraitShift | std::uint64_t{phase} << kPhaseShift;
  }

 private:
  struct Free {
    void operator()(std::byte* p) const { std::free(p); }
  };
  static void put_text(char* to, std::size_t bytes, std::string_view text) {
    std::memcpy(to, text.data(), std::min(bytes, text.size()));
  }

  std::unique_ptr<std::byte, Free> bytes_;
  std::uint64_t size_ = 0;
};

// A ledger with something of everything in it.
inline void furnish(LedgerImage& image) {
  constexpr std::uint8_t kRw = static_cast<std::uint8_t>(LockKind::kRwlock);
  ThreadSlot& holder = image.thread(100, "raft-loop");
  LedgerImage::hold(holder, 0x7000, kRw);
  LedgerImage::hold(holder, 0x8000, 0);
  LedgerImage::hold(holder, 0x8000, hold_trait::kAgain);
  LedgerImage::hold(holder, 0x9000, 0);
  holder.mailbox[3] = 0x9000;
  image.deep_table(holder, 2);
  image.deep_hold(holder, 5, 0xa000, 2);
  ThreadSlot& reader = image.thread(101, "sync-2");
  LedgerImage::hold(reader, 0x7000, kRw | hold_trait::kShared, hold_phase::kAcquiring);
  LedgerImage::wait(reader, WaitKind::kRead, 0x7000);
  ThreadSlot& worker = image.thread(102, "");
  LedgerImage::hold(worker, 0xb000, 0, hold_phase::kGivenBack);
  LedgerImage::wait(worker, WaitKind::kCondition, 0xb100, 0xb000);
  ThreadSlot& joiner = image.thread(103, "main");
  LedgerImage::wait(joiner, WaitKind::kJoin, 0x7f00'0000'0000 + 102);
  image.lock(0x7000, LockKind::kRwlock, 3);
  image.lock(0xf000, LockKind::kMutex, 9);
  image.departure(0xc000, 88, DepartureReason::kThreadEnded);
  image.departure(0xc100, 89, DepartureReason::kForked);
  image.header().counters[k_holds_dropped] = 2;
}

// Some bytes as a ledger. Counts what is asked of it.
class MemorySource : public LedgerSource {
 public:
  MemorySource(const std::byte* bytes, std::uint64_t size) : bytes_(bytes), size_(size) {}

  bool read(std::uint64_t offset, void* buffer, std::size_t bytes) override {
    ++reads;
    if (offset > size_ || bytes > size_ - offset) return false;
    bytes_read += bytes;
    std::memcpy(buffer, bytes_ + offset, bytes);
    return true;
  }
  std::uint64_t size() override { return size_; }

  std::uint64_t reads = 0;
  std::uint64_t bytes_read = 0;

 private:
  const std::byte* bytes_;
  std::uint64_t size_;
};

}  // namespace impasse
