#include "detector/lock_table.h"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <thread>

#include "detector/lock_salt.h"
#include "detector/page_filter.h"
#include "test_ledger.h"

namespace impasse {
namespace {

using test::TestLedger;

class LockTableTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (auto& count : lock_pages.count) count.store(0);
  }
  TestLedger ledger_;
  LockTable table_{*ledger_};
  LockRecord* matters(std::uint64_t address) {
    return table_.matters(address, LockKind::kMutex, 0x1234);
  }
};

TEST_F(LockTableTest, MakesOneRecordForALock) {
  EXPECT_EQ(table_.find(0x5000), nullptr);
  LockRecord* record = matters(0x5000);
  ASSERT_NE(record, nullptr);
  EXPECT_EQ(matters(0x5000), record);
  EXPECT_EQ(table_.find(0x5000), record);
  EXPECT_EQ(table_.find(0x5004), nullptr);
  EXPECT_EQ(record->first_site.load(), 0x1234u);
}

TEST_F(LockTableTest, ALifeEndsAndTheNextIsAnotherGeneration) {
  const std::uint64_t salt = salt_of(0x5000).load();
  LockRecord* first = matters(0x5000);
  const std::uint32_t generation = first->generation.load();
  EXPECT_EQ(generation % 2, 1u);
  table_.end(0x5000);
  EXPECT_EQ(table_.find(0x5000), nullptr);
  EXPECT_NE(salt_of(0x5000).load(), salt);
  EXPECT_FALSE(lock_pages.may_hold_locks(0x5000));
  LockRecord* second = matters(0x5000);
  EXPECT_EQ(second, first);  // last out, first in
  EXPECT_GT(second->generation.load(), generation);
  EXPECT_EQ(second->generation.load() % 2, 1u);
}

TEST_F(LockTableTest, EndingALockThatNeverMatteredChangesNothing) {
  const std::uint64_t salt = salt_of(0x9000).load();
  table_.end(0x9000);
  table_.end_range(0x9000, 1 << 20);
  EXPECT_EQ(salt_of(0x9000).load(), salt);
}

TEST_F(LockTableTest, RangesEndExactlyTheLocksInThem) {
  std::mt19937_64 random(11);
  constexpr std::uint64_t kStart = 0x7f00'0000'0000;
  std::map<std::uint64_t, LockRecord*> model;
  for (int step = 0; step < 3'000; ++step) {
    if (random() % 4 != 0 || model.empty()) {
      const std::uint64_t address = kStart + random() % 100'000 * 4;
      LockRecord* record = matters(address);
      ASSERT_NE(record, nullptr);
      model[address] = record;
    } else {
      const std::uint64_t start = kStart + random() % 400'000;
      const std::uint64_t bytes = std::uint64_t{1} << (random() % 16);
      table_.end_range(start, bytes);
      model.erase(model.lower_bound(start), model.lower_bound(start + bytes));
    }
  }
  for (std::uint64_t address = kStart; address < kStart + 400'000; address += 4) {
    EXPECT_EQ(table_.find(address) != nullptr, model.contains(address)) << std::hex << address;
  }
  table_.end_range(kStart, std::uint64_t{1} << 40);  // far more pages than records
  for (const auto& [address, record] : model) EXPECT_EQ(table_.find(address), nullptr);
  for (std::uint64_t page = kStart; page < kStart + 400'000; page += kPage)
    EXPECT_FALSE(lock_pages.may_hold_locks(page));
}

TEST_F(LockTableTest, MemoryIsBoundedByTheLocksThatLive) {
  for (std::uint64_t i = 0; i < 200'000; ++i) {
    ASSERT_NE(matters(0x10'0000 + i * 64), nullptr);
    if (i >= 100) table_.end(0x10'0000 + (i - 100) * 64);
  }
  EXPECT_LE(ledger_->header().locks_used.load(), 128u);
  EXPECT_EQ(ledger_.counter(k_locks_dropped), 0u);
}

TEST_F(LockTableTest, AFullTableCountsWhatItDrops) {
  const std::uint64_t capacity = ledger_->lock_capacity();
  std::uint64_t kept = 0;
  for (std::uint64_t i = 0; i < capacity + 100; ++i) kept += matters(0x10'0000 + i * 64) != nullptr;
  EXPECT_LE(kept, capacity);
  EXPECT_EQ(kept + ledger_.counter(k_locks_dropped), capacity + 100);
  EXPECT_GE(kept, capacity * 9 / 10);
}

TEST_F(LockTableTest, TheMillionLocksThatWerePromisedFit) {
  TestLedger ledger(kFullGeometry);
  LockTable table(*ledger);
  for (std::uint64_t i = 0; i < 1'000'000; ++i) {
    ASSERT_NE(table.matters(0x10'0000 + i * 48, LockKind::kMutex, 1), nullptr) << i;
  }
  EXPECT_EQ(ledger.counter(k_locks_dropped), 0u);
}

TEST_F(LockTableTest, ThreadsMakeAndEndLocksAtOnce) {
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      const std::uint64_t start = 0x100'0000 * (t + 1);
      for (std::uint64_t round = 0; round < 30; ++round) {
        for (std::uint64_t i = 0; i < 50; ++i) ASSERT_NE(matters(start + i * 40), nullptr);
        for (std::uint64_t i = 0; i < 50; ++i) ASSERT_NE(table_.find(start + i * 40), nullptr);
        table_.end_range(start, 50 * 40);
        for (std::uint64_t i = 0; i < 50; ++i) ASSERT_EQ(table_.find(start + i * 40), nullptr);
      }
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST(PageFilter, CountsAndSaturates) {
  auto filter = std::make_unique<PageFilter>();
  for (int i = 0; i < 10; ++i) filter->add(0x5000);
  for (int i = 0; i < 9; ++i) filter->remove(0x5000);
  EXPECT_TRUE(filter->may_hold_locks(0x5fff));
  filter->remove(0x5000);
  EXPECT_FALSE(filter->may_hold_locks(0x5fff));
  for (int i = 0; i < 300; ++i) filter->add(0x5000);
  for (int i = 0; i < 300; ++i) filter->remove(0x5000);
  EXPECT_TRUE(filter->may_hold_locks(0x5000));  // rather a wasted look than a missed lock
}

}  // namespace
}  // namespace impasse
