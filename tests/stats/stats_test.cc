// Numbers of locks: buckets and percentiles, a thread's block against a naive count, what threads
// share, what a reader makes of it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "detector/own_ledger.h"
#include "detector/stats_block.h"
#include "detector/stats_reader.h"
#include "detector/stats_table.h"
#include "test_ledger.h"

namespace impasse {
namespace {

using Key = std::pair<std::uint64_t, std::uint64_t>;

constexpr Geometry kRoomy{64, 64, 1, 16, std::uint64_t{64} << 20, 2, 2, 64, 64, 512};

std::uint64_t site_of(std::uint64_t pc) {
  return pc;
}

TEST(StatTimes, BucketsFollowEachOtherWithoutAGap) {
  for (unsigned i = 0; i + 1 < kStatBuckets; ++i) {
    const std::uint64_t start = stat_bucket_start(i);
    const std::uint64_t end = stat_bucket_start(i + 1);
    ASSERT_LT(start, end);
    EXPECT_EQ(stat_bucket(start), i);
    EXPECT_EQ(stat_bucket(end - 1), i);
    EXPECT_EQ(stat_bucket(end), i + 1);
    if (i > 0) {
      EXPECT_LE(end * 2, start * 3) << "a bucket is at most half as wide as it is far";
    }
  }
  EXPECT_EQ(stat_bucket(~std::uint64_t{0}), kStatBuckets - 1);
}

TEST(StatTimes, PercentilesAreThoseOfTheSortedListToABucket) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 200; ++round) {
    std::vector<std::uint64_t> values(1 + random() % 3'000);
    StatSums sums;
    for (auto& value : values) {
      value = random() >> (20 + random() % 44);
      sums.count++;
      sums.sum += value;
      sums.most = std::max(sums.most, value);
      sums.buckets[stat_bucket(value)]++;
    }
    std::sort(values.begin(), values.end());
    for (const unsigned per_mille : {500U, 900U, 990U, 1000U}) {
      const auto rank = static_cast<std::size_t>(
          std::max<double>(1, std::ceil(static_cast<double>(values.size()) * per_mille / 1000)));
      const std::uint64_t exact = values[rank - 1];
      const std::uint64_t got = sums.quantile(per_mille);
      const unsigned bucket = stat_bucket(exact);
      EXPECT_GE(got, stat_bucket_start(bucket));
      if (bucket + 1 < kStatBuckets) {
        EXPECT_LE(got, stat_bucket_start(bucket + 1));
      }
      EXPECT_LE(got, sums.most);
    }
  }
  EXPECT_EQ(StatSums{}.quantile(500), 0U);
}

std::map<Key, StatFact> read(const Ledger& ledger) {
  const StatsReading reading = read_own_stats(ledger);
  EXPECT_EQ(reading.problem, "");
  EXPECT_FALSE(reading.torn);
  std::map<Key, StatFact> facts;
  for (const StatFact& fact : reading.facts) {
    EXPECT_TRUE(facts.emplace(Key{fact.lock, fact.pc}, fact).second) << "each row once";
  }
  return facts;
}

struct Sum {
  std::uint64_t acquisitions = 0;
  std::uint64_t waits = 0;
  std::uint64_t waited = 0;
};

// By place of the program nothing is lost, whatever the block and the rows have room for.
TEST(StatBlock, CountsLikeANaiveTable) {
  for (const std::uint64_t locks : {3, 60, 5'000}) {
    test::TestLedger ledger(kRoomy);
    ThreadSlot* const slot = ledger->claim_slot();
    StatBlock* const block = open_stats(*ledger, *slot);
    ASSERT_NE(block, nullptr);
    StatWriter writer(*ledger, *block);
    std::mt19937_64 random(locks);
    std::map<std::uint64_t, Sum> by_site;
    std::map<Key, Sum> naive;
    for (int i = 0; i < 60'000; ++i) {
      const std::uint64_t lock = 0x1000 + 64 * (random() % locks);
      const std::uint64_t site = 0x400'000 + random() % 5;
      const std::uint64_t wait = random() % 8 == 0 ? random() % 100'000 : kNoWait;
      writer.count(lock, site_of(site), wait);
      for (Sum* sum : {&by_site[site], &naive[{lock, site}]}) {
        ++sum->acquisitions;
        if (wait == kNoWait) continue;
        ++sum->waits;
        sum->waited += wait;
      }
    }
    const auto check = [&] {
      std::map<std::uint64_t, StatFact> sites;
      for (const auto& [key, fact] : read(*ledger)) {
        const auto [known, is_new] = sites.try_emplace(key.second, fact);
        if (!is_new) known->second.add(fact);
        if (key.first == 0) continue;
        EXPECT_LE(fact.acquisitions, naive[key].acquisitions);
        if (locks == 3) {
          EXPECT_EQ(fact.acquisitions, naive[key].acquisitions);
        }
      }
      ASSERT_EQ(sites.size(), by_site.size());
      for (const auto& [site, sum] : by_site) {
        EXPECT_EQ(sites[site].acquisitions, sum.acquisitions);
        EXPECT_EQ(sites[site].wait.count, sum.waits);
        EXPECT_EQ(sites[site].wait.sum, sum.waited);
      }
    };
    check();
    // The thread ends: the same numbers, now in the rows.
    ledger->release_slot(*slot);
    EXPECT_EQ(slot->stats.load(), 0U);
    check();
    EXPECT_EQ(ledger.counter(k_stats_dropped), 0U);
  }
}

TEST(StatBlock, TheBusiestLocksGetRowsOfTheirOwn) {
  test::TestLedger ledger(kRoomy);
  ThreadSlot* const slot = ledger->claim_slot();
  StatWriter writer(*ledger, *open_stats(*ledger, *slot));
  for (std::uint64_t lock = 1; lock <= 4'000; ++lock) writer.count(64 * lock, 0x400'000, kNoWait);
  constexpr std::uint64_t kBusy = 0x7000'0000;
  for (int i = 0; i < 100'000; ++i) writer.count(kBusy, 0x400'000, kNoWait);
  const StatFact busy = read(*ledger)[{kBusy, 0x400'000}];
  EXPECT_GT(busy.acquisitions, 98'000U);
}

// Each hold has a length of its own, so that what was measured can be told.
TEST(StatBlock, MeasuredHoldsStandForAll) {
  test::TestLedger ledger(kRoomy);
  ThreadSlot* const slot = ledger->claim_slot();
  StatBlock& block = *open_stats(*ledger, *slot);
  StatWriter writer(*ledger, block);
  constexpr int kHolds = 400'000;
  std::uint64_t now = 1'000;
  std::uint64_t held = 0;
  std::mt19937_64 random(3);
  for (int i = 0; i < kHolds; ++i) {
    writer.count(0x1000, 0x400'000, kNoWait);
    block.countdown.store(block.countdown.load() - 1);
    const bool measured = block.countdown.load() == 0;
    if (measured) writer.begin(0, 0x1000, 0x400'000, now, 1);
    // A period of 8, as long as that of the measuring: it must not matter.
    const std::uint64_t length = i % 8 == 0 ? 9'000 : 1'000 + random() % 100;
    held += length;
    now += length;
    writer.end(0, 0x1000, 0x400'000, now, 0);
  }
  const StatFact fact = read(*ledger)[{0x1000, 0x400'000}];
  EXPECT_EQ(fact.acquisitions, std::uint64_t{kHolds});
  EXPECT_NEAR(static_cast<double>(fact.hold.count), kHolds, 32);
  EXPECT_NEAR(static_cast<double>(fact.hold.sum), static_cast<double>(held),
              0.03 * static_cast<double>(held));
  EXPECT_EQ(fact.hold.most, 9'000U);
}

TEST(StatBlock, LongHoldsAreCountedOnceEach) {
  test::TestLedger ledger(kRoomy);
  ThreadSlot* const slot = ledger->claim_slot();
  StatWriter writer(*ledger, *open_stats(*ledger, *slot));
  note_stats_clock(ledger->header(), 1'000, 1'000);
  note_stats_clock(ledger->header(), 1'000 + 3'000'000'000, 1'000 + 1'000'000'000);
  for (int i = 0; i < 100; ++i) {
    writer.count(0x1000, 0x400'000, kNoWait);
    if (i % 10 == 0) writer.begin(0, 0x1000, 0x400'000, 5'000, 1);
    writer.end(0, 0x1000, 0x400'000, 5'000 + 3'000'000'000, 100);
  }
  const StatFact fact = read(*ledger)[{0x1000, 0x400'000}];
  EXPECT_EQ(fact.hold.count, 100U);
  EXPECT_EQ(fact.hold.buckets[stat_bucket(3'000'000'000)], 100U);
}

TEST(StatTable, ThreadsAddToTheSameRows) {
  test::TestLedger ledger(kRoomy);
  constexpr int kThreads = 4;
  constexpr std::uint64_t kTimes = 2'000;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([&ledger] {
      for (std::uint64_t n = 0; n < kTimes; ++n)
        StatTable(*ledger).add({64 * (n % 100), 0x400'000 + n % 7, 1, nullptr, nullptr});
    });
  }
  for (std::thread& one : threads) one.join();
  std::uint64_t all = 0;
  for (const auto& [key, fact] : read(*ledger)) {
    if (key.first != 0) {
      EXPECT_EQ(fact.acquisitions % kThreads, 0U);
    }
    all += fact.acquisitions;
  }
  EXPECT_EQ(all + ledger.counter(k_stats_dropped), kThreads * kTimes);
}

TEST(StatTable, WithoutRoomWhatIsLostIsCounted) {
  static bool room = true;
  room = true;
  test::TestLedger ledger(kRoomy, [](void*, std::size_t) { return room; });
  ThreadSlot* const slot = ledger->claim_slot();
  StatWriter writer(*ledger, *open_stats(*ledger, *slot));
  for (int i = 0; i < 10; ++i) writer.count(0x1000, 0x400'000, kNoWait);
  room = false;
  ledger->release_slot(*slot);
  EXPECT_EQ(ledger.counter(k_stats_dropped), 10U);
  ThreadSlot* const next = ledger->claim_slot();
  ASSERT_NE(next, nullptr);
}

// A block that was given back is empty when it is used again.
TEST(StatBlock, MemoryComesBackEmpty) {
  test::TestLedger ledger(kRoomy);
  for (int i = 1; i <= 50; ++i) {
    ThreadSlot* const slot = ledger->claim_slot();
    StatWriter writer(*ledger, *open_stats(*ledger, *slot));
    for (std::uint64_t lock = 1; lock <= 40; ++lock) writer.count(64 * lock, 0x400'000, 100);
    ledger->release_slot(*slot);
    const auto facts = read(*ledger);
    ASSERT_EQ(facts.size(), 40U);
    for (const auto& [key, fact] : facts) {
      EXPECT_EQ(fact.acquisitions, static_cast<std::uint64_t>(i));
      EXPECT_EQ(fact.wait.sum, 100U * static_cast<std::uint64_t>(i));
    }
  }
}

// Whatever a damaged file says, reading it ends, and within its bounds.
TEST(StatsReader, SurvivesDamage) {
  test::TestLedger ledger(kRoomy);
  ThreadSlot* const slot = ledger->claim_slot();
  StatBlock& block = *open_stats(*ledger, *slot);
  StatWriter writer(*ledger, block);
  for (std::uint64_t lock = 1; lock <= 300; ++lock) writer.count(64 * lock, 0x400'000 + lock, 100);
  std::mt19937_64 random(11);
  const std::vector<std::byte> whole(reinterpret_cast<const std::byte*>(&block),
                                     reinterpret_cast<const std::byte*>(&block) + sizeof block);
  for (int round = 0; round < 300; ++round) {
    for (int i = 0; i < 40; ++i) {
      const std::uint64_t junk = random() >> (random() % 64);
      std::memcpy(reinterpret_cast<std::byte*>(&block) + random() % (sizeof block - 8), &junk, 8);
    }
    ledger->header().stats_used.store(random() >> (random() % 64));
    ledger->header().stats_maps_bytes.store(random() >> (random() % 64));
    slot->stats.store(round % 3 == 0 ? random() >> (random() % 64) : ledger->offset_of(&block));
    EXPECT_EQ(read_own_stats(*ledger).problem, "");
    std::memcpy(static_cast<void*>(&block), whole.data(), whole.size());
  }
}

}  // namespace
}  // namespace impasse
