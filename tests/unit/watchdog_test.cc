#include "detector/watchdog.h"

#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "test_ledger.h"

namespace impasse {
namespace {

using test::TestLedger;

std::set<std::uint32_t> dead;

bool alive(std::uint32_t tid) {
  return !dead.contains(tid);
}
bool name(std::uint32_t tid, char (&text)[kNameBytes]) {
  if (tid == 13) return false;
  std::snprintf(text, sizeof text, "t-%u", tid);
  return true;
}

ThreadSlot& live_thread(TestLedger& ledger, std::uint32_t tid) {
  ThreadSlot& slot = *ledger->claim_slot();
  slot.tid.store(tid);
  slot.life.store(static_cast<std::uint32_t>(ThreadLife::kLive));
  ledger->enter_tid(tid, slot);
  return slot;
}

std::string name_of(const ThreadSlot& slot) {
  std::uint64_t words[kNameBytes / 8];
  for (unsigned i = 0; i < kNameBytes / 8; ++i) words[i] = slot.name[i].load();
  char text[kNameBytes + 1] = {};
  std::memcpy(text, words, kNameBytes);
  return text;
}

class WatchdogTest : public ::testing::Test {
 protected:
  void SetUp() override { dead.clear(); }
  TestLedger ledger_;
  Watchdog watchdog_{*ledger_, {alive, name}};
  std::uint64_t now_ = 1'000'000'000;
  void turn() { watchdog_.turn(now_ += watchdog_.pause_ns(), watchdog_.pause_ns()); }
};

TEST_F(WatchdogTest, PublishesItsClock) {
  turn();
  const std::uint64_t before = ledger_->header().tick.load();
  for (int i = 0; i < 50; ++i) turn();
  EXPECT_EQ(ledger_->header().tick.load() - before, 50 * watchdog_.pause_ns() / kTickNs);
  EXPECT_EQ(published_tick.value.load(), ledger_->header().tick.load());
  EXPECT_EQ(ledger_->header().now_ns.load(), now_);
}

TEST_F(WatchdogTest, WakesAtMostTwentyTimesASecond) {
  EXPECT_GE(watchdog_.pause_ns(), 50'000'000u);
}

TEST_F(WatchdogTest, LearnsTheNameOfEveryThreadOnce) {
  std::vector<ThreadSlot*> slots;
  for (std::uint32_t tid = 100; tid < 1'000; ++tid) slots.push_back(&live_thread(ledger_, tid));
  ThreadSlot& named = *slots[5];
  named.name_known.store(1);
  ThreadSlot& nameless = live_thread(ledger_, 13);
  for (int i = 0; i < 5; ++i) turn();
  EXPECT_EQ(name_of(*slots[0]), "t-100");
  EXPECT_EQ(name_of(*slots[899]), "t-999");
  EXPECT_EQ(name_of(named), "");
  EXPECT_EQ(name_of(nameless), "");
}

TEST_F(WatchdogTest, TakesBackTheSlotsOfThreadsThatVanished) {
  ThreadSlot& gone = live_thread(ledger_, 50);
  ThreadSlot& stays = live_thread(ledger_, 51);
  dead.insert(50);
  for (int i = 0; i < 200; ++i) turn();
  EXPECT_EQ(ledger_->find_tid(50), nullptr);
  EXPECT_EQ(ledger_->find_tid(51), &stays);
  EXPECT_EQ(gone.life.load(), static_cast<std::uint32_t>(ThreadLife::kFree));
}

}  // namespace
}  // namespace impasse
