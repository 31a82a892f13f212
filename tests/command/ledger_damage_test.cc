// Ledgers that are damaged, cut off or no ledgers at all: a sentence each, or what is left of them.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

#include "detector/ledger_reader.h"
#include "ledger_image.h"

namespace impasse {
namespace {

constexpr std::uint8_t kMutexTrait = static_cast<std::uint8_t>(LockKind::kMutex);

LedgerReading reading(LedgerImage& image) {
  MemorySource source(image.bytes(), image.size());
  return read_ledger(source);
}

Snapshot good(LedgerImage& image) {
  LedgerReading result = reading(image);
  EXPECT_EQ(result.problem, "");
  return std::move(result.snapshot);
}

std::string problem(LedgerImage& image) {
  return reading(image).problem;
}

TEST(DamagedLedger, OtherFilesAreNoLedgers) {
  for (const std::size_t size : {0u, 1u, 7u, 8u, 11u, 4096u}) {
    const std::vector<std::byte> zeros(size);
    MemorySource source(zeros.data(), zeros.size());
    EXPECT_EQ(read_ledger(source).problem, "not an impasse ledger") << size;
  }
}

TEST(DamagedLedger, AnotherVersionIsNamed) {
  LedgerImage image;
  image.header().version = kLedgerVersion + 1;
  EXPECT_EQ(problem(image), "made by another version (" + std::to_string(kLedgerVersion + 1) +
                                "; this impasse reads " + std::to_string(kLedgerVersion) + ")");
}

TEST(DamagedLedger, EveryTruncationIsASentence) {
  LedgerImage image;
  furnish(image);
  for (std::uint64_t size = 0; size < image.size();
       size += size < 2 * sizeof(LedgerHeader) ? 1 : 997) {
    MemorySource source(image.bytes(), size);
    const std::string found = read_ledger(source).problem;
    if (size < 12) {
      EXPECT_EQ(found, "not an impasse ledger") << size;
    } else {
      EXPECT_TRUE(found.starts_with("truncated: ")) << size << ": " << found;
    }
  }
}

TEST(DamagedLedger, EveryDamageOfTheHeaderIsASentence) {
  const auto with = [](const std::function<void(LedgerHeader&)>& damage) {
    LedgerImage image;
    damage(image.header());
    return problem(image);
  };
  using H = LedgerHeader;
  EXPECT_EQ(with([](H& h) { h.header_bytes = 8; }), "damaged: its header has the wrong size");
  EXPECT_EQ(with([](H& h) { h.regions = 6; }), "damaged: its header has the wrong size");
  EXPECT_EQ(with([](H& h) { h.tick_ns = 0; }), "damaged: its clock has no sensible unit");
  EXPECT_EQ(with([](H& h) { h.tick_ns = 1ull << 60; }), "damaged: its clock has no sensible unit");
  EXPECT_EQ(with([](H& h) { h.total_bytes = 1ull << 62; }),
            "damaged: it claims to be larger than any ledger is");
  EXPECT_EQ(with([](H& h) { h.total_bytes = 4096; }),
            "damaged: the region for thread slots reaches beyond the ledger's end");
  EXPECT_EQ(with([](H& h) { h.region[kSlots].stride = 64; }),
            "damaged: the region for thread slots has elements of the wrong size");
  EXPECT_EQ(with([](H& h) { h.region[kSlots].capacity = kMostSlots + 1; }),
            "damaged: the region for thread slots is larger than in any ledger");
  EXPECT_EQ(with([](H& h) { h.region[kSlots].capacity = kMostSlots; }),
            "damaged: the region for thread slots reaches beyond the ledger's end");
  EXPECT_EQ(with([](H& h) { h.region[kTids].capacity = 15; }),
            "damaged: the region for thread numbers has a size that is no power of two");
  EXPECT_EQ(with([](H& h) { h.region[kLocks].offset = 64; }),
            "damaged: the region for locks is in the wrong place");
  EXPECT_EQ(with([](H& h) { h.region[kLocks].offset += 8; }),
            "damaged: the region for locks is in the wrong place");
  EXPECT_EQ(with([](H& h) { h.region[kDeepHolds].offset = ~0ull << 6; }),
            "damaged: the region for deep holds reaches beyond the ledger's end");
  EXPECT_EQ(with([](H& h) { h.region[kDepartures].offset = h.region[kLocks].offset; }),
            "damaged: its regions overlap");
  EXPECT_EQ(with([](H& h) { h.region[kSights].capacity = kMostSights + 1; }),
            "damaged: the region for sights of orders is larger than in any ledger");
  EXPECT_EQ(with([](H& h) { h.region[kSights].stride = 0; }),
            "damaged: the region for sights of orders has elements of the wrong size");
  EXPECT_EQ(with([](H& h) { h.region[kSights].offset = h.total_bytes; }),
            "damaged: the region for sights of orders reaches beyond the ledger's end");
  EXPECT_EQ(with([](H& h) { h.region[kSightTails].capacity = kMostSights + 1; }),
            "damaged: the region for tails of sights is larger than in any ledger");
  EXPECT_EQ(with([](H& h) { h.region[kLives].capacity = 63; }),
            "damaged: the region for lives of threads has a size that is no power of two");
  EXPECT_EQ(with([](H& h) { h.region[kLives].offset = ~0ull << 6; }),
            "damaged: the region for lives of threads reaches beyond the ledger's end");
  EXPECT_EQ(with([](H& h) { h.region[kLives].offset = h.region[kSights].offset; }),
            "damaged: its regions overlap");
  EXPECT_EQ(with([](H& h) { h.slots_used = LedgerImage::kSlotCount + 1; }),
            "damaged: it claims to use more than it has room for");
  EXPECT_EQ(with([](H& h) { h.locks_used = ~0ull; }),
            "damaged: it claims to use more than it has room for");
  EXPECT_EQ(with([](H& h) { h.departures_used = LedgerImage::kDepartureCount + 1; }),
            "damaged: it claims to use more than it has room for");
}

TEST(DamagedLedger, AFileThatIsCutWhileItIsReadIsASentence) {
  LedgerImage image;
  furnish(image);
  class Cut final : public MemorySource {
   public:
    using MemorySource::MemorySource;
    bool read(std::uint64_t offset, void* buffer, std::size_t bytes) override {
      return reads < left && MemorySource::read(offset, buffer, bytes);
    }
    std::uint64_t left = 0;
  };
  MemorySource whole(image.bytes(), image.size());
  read_ledger(whole);
  for (std::uint64_t n = 0; n < whole.reads; ++n) {
    Cut source(image.bytes(), image.size());
    source.left = n;
    const LedgerReading result = read_ledger(source);
    EXPECT_NE(result.problem, "") << n;
    EXPECT_TRUE(result.snapshot.threads.empty());
  }
}

// ---- damage that leaves the rest readable

// What is on its way to the watchdog is for it alone: whoever looks at a ledger leaves it be,
// whatever it has become.
TEST(DamagedLedger, WhatIsOnItsWayToTheWatchdogIsNotLookedAt) {
  class Watched final : public MemorySource {
   public:
    explicit Watched(LedgerImage& image)
        : MemorySource(image.bytes(), image.size()), header_(image.header()) {}
    bool read(std::uint64_t offset, void* buffer, std::size_t bytes) override {
      for (const RegionName name : {kSights, kSightTails, kLives}) {
        const Region& region = header_.region[name];
        EXPECT_FALSE(offset < region.offset + region.stride * region.capacity &&
                     region.offset < offset + bytes)
            << "reads region " << name;
      }
      return MemorySource::read(offset, buffer, bytes);
    }

   private:
    const LedgerHeader& header_;
  };
  std::mt19937_64 random(7);
  for (int round = 0; round < 20; ++round) {
    LedgerImage image;
    furnish(image);
    for (const RegionName name : {kSights, kSightTails, kLives}) {
      const Region& region = image.header().region[name];
      for (std::uint64_t at = 0; at < region.stride * region.capacity; at += 8) {
        const std::uint64_t garbage = random();
        std::memcpy(image.bytes() + region.offset + at, &garbage, sizeof garbage);
      }
    }
    LedgerHeader& h = image.header();
    for (auto* const word : {&h.sights_used, &h.sights_taken, &h.free_sight, &h.lives_open,
                             &h.lives_told, &h.lives_heard, &h.moments}) {
      word->store(random());
    }
    Watched source(image);
    const LedgerReading result = read_ledger(source);
    EXPECT_EQ(result.problem, "");
    EXPECT_EQ(result.snapshot.threads.size(), 4u);
    EXPECT_EQ(result.snapshot.senseless, 0u);
  }
}

TEST(DamagedLedger, ADeepTableInAWrongPlaceIsLeftOutAndTold) {
  const auto with = [](const std::function<void(LedgerImage&, ThreadSlot&)>& damage) {
    LedgerImage image;
    ThreadSlot& slot = image.thread(100, "");
    LedgerImage::hold(slot, 0x8000, kMutexTrait);
    image.deep_table(slot, 3);
    image.deep_hold(slot, 5, 0xa000, 1);
    damage(image, slot);
    const Snapshot s = good(image);
    ASSERT_EQ(s.threads.size(), 1u);
    EXPECT_EQ(s.threads[0].holds.size(), 1u);
    EXPECT_EQ(s.threads[0].holds_unread, 1u);
  };
  with([](LedgerImage&, ThreadSlot& slot) { slot.deep = 1; });
  with([](LedgerImage&, ThreadSlot& slot) { slot.deep = ~std::uint64_t{0}; });
  with([](LedgerImage&, ThreadSlot& slot) { slot.deep = slot.deep + 8; });
  with([](LedgerImage& image, ThreadSlot& slot) { slot.deep = image.size(); });
  with([](LedgerImage&, ThreadSlot& slot) { slot.deep_size = std::uint64_t{127} << 32 | 1; });
  with([](LedgerImage&, ThreadSlot& slot) { slot.deep_size = std::uint64_t{1} << 63 | 1; });
  with([](LedgerImage&, ThreadSlot& slot) { slot.deep_size = 1; });
}

TEST(DamagedLedger, SenselessRecordsAreLeftOutAndCounted) {
  LedgerImage image;
  ThreadSlot& slot = image.thread(100, "");
  LedgerImage::hold(slot, 0x8100, kMutexTrait, 0x77);  // no such phase
  LedgerImage::hold(slot, 0x8200, kMutexTrait);
  LedgerImage::wait(slot, static_cast<WaitKind>(0x66), 0x8300);
  image.lock(0x8400, static_cast<LockKind>(9), 1);
  image.departure(0x8500, 1, static_cast<DepartureReason>(9));
  const Snapshot s = good(image);
  ASSERT_EQ(s.threads[0].holds.size(), 1u);
  EXPECT_FALSE(s.threads[0].wait.has_value());
  EXPECT_TRUE(s.locks.empty());
  EXPECT_TRUE(s.departures.empty());
  EXPECT_EQ(s.senseless, 4u);
}

}  // namespace
}  // namespace impasse
