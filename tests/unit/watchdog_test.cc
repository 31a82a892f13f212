#include "detector/watchdog.h"

#include <gtest/gtest.h>

#include <cstring>
#include <map>
#include <set>
#include <vector>

#include "detector/incidents.h"
#include "detector/signal_notes.h"
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

std::map<std::uint64_t, std::uint32_t> owners;

LockState probe(std::uint64_t lock, LockKind) {
  LockState state;
  const auto owner = owners.find(lock);
  state.readable = owner != owners.end();
  if (state.readable) state.owner = owner->second;
  return state;
}

std::uint64_t now = 0;

unsigned clock_readings = 0;

std::uint64_t monotonic_ns() {
  ++clock_readings;
  return now;  // looking costs nothing
}
// Before a look at all facts and after it, and at no other time.
unsigned looks() {
  return clock_readings / 2;
}

Sleep asleep(std::uint32_t, WaitKind, std::uint64_t) {
  return Sleep::kThere;
}

class Sink final : public FindingSink {
 public:
  bool tell(const Telling& telling, const Snapshot&) override {
    kinds.push_back(telling.verdict->kind);
    return true;
  }
  void tell(const Incident& incident) override { incidents.push_back(incident.site); }
  void suspect(const std::vector<std::uint32_t>&) override {}

  std::vector<FindingKind> kinds;
  std::vector<std::uint64_t> incidents;
};

class WatchdogTest : public ::testing::Test {
 protected:
  void SetUp() override {
    dead.clear();
    owners.clear();
    clock_readings = 0;
    note_lives_in(&*ledger_);
  }
  void TearDown() override { note_lives_in(nullptr); }
  TestLedger ledger_;
  std::uint64_t now_ = 1'000'000'000;
  Sink sink_;
  Watchdog watchdog_{
      *ledger_, {alive, name, probe, monotonic_ns, asleep}, {10'000'000'000}, &sink_};
  void turn() { watchdog_.turn(now = now_ += watchdog_.pause_ns(), watchdog_.pause_ns()); }
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

void wait_for(ThreadSlot& slot, std::uint64_t mutex) {
  slot.wait.object.store(mutex);
  slot.wait.site.store(std::uint64_t{static_cast<std::uint8_t>(WaitKind::kMutex)} << kTraitShift);
  slot.wait.tick.store(published_tick.value.load());
  slot.wait.sequence.fetch_add(1);
}

// A raw exit left the first of them behind, and the kernel gave its number to another thread.
TEST_F(WatchdogTest, TheNewerOfTwoSlotsOfOneNumberIsTheThreads) {
  ThreadSlot& left_behind = live_thread(ledger_, 50);
  left_behind.started_ns.store(1'000);
  turn();
  ThreadSlot& newer = live_thread(ledger_, 50);
  newer.started_ns.store(2'000);
  ThreadSlot& other = live_thread(ledger_, 51);
  owners = {{0x1000, 50}, {0x2000, 51}};
  wait_for(newer, 0x2000);
  wait_for(other, 0x1000);
  const std::uint64_t formed = now_;
  while (sink_.kinds.empty() && now_ - formed < 1'000'000'000) turn();
  EXPECT_EQ(sink_.kinds, std::vector{FindingKind::kDeadlock});
  EXPECT_EQ(left_behind.life.load(), static_cast<std::uint32_t>(ThreadLife::kFree));
  EXPECT_EQ(newer.life.load(), static_cast<std::uint32_t>(ThreadLife::kLive));
  EXPECT_EQ(ledger_->find_tid(50), &newer);
}

TEST_F(WatchdogTest, TwinsPartAlsoWhereNobodyWaits) {
  ThreadSlot& newer = live_thread(ledger_, 50);
  ThreadSlot& left_behind = live_thread(ledger_, 50);
  newer.started_ns.store(2'000);
  left_behind.started_ns.store(1'000);
  for (int i = 0; i < 200; ++i) turn();
  EXPECT_EQ(left_behind.life.load(), static_cast<std::uint32_t>(ThreadLife::kFree));
  EXPECT_EQ(ledger_->find_tid(50), &newer);
}

TEST_F(WatchdogTest, TellsADeadlockWithinAFewTurns) {
  ThreadSlot& a = live_thread(ledger_, 21);
  ThreadSlot& b = live_thread(ledger_, 22);
  owners = {{0x1000, 21}, {0x2000, 22}};
  turn();
  wait_for(a, 0x2000);
  wait_for(b, 0x1000);
  const std::uint64_t formed = now_;
  while (sink_.kinds.empty() && now_ - formed < 1'000'000'000) turn();
  ASSERT_EQ(sink_.kinds, std::vector{FindingKind::kDeadlock});
  EXPECT_LE(now_ - formed, 150'000'000U);
  for (int i = 0; i < 100; ++i) turn();
  EXPECT_EQ(sink_.kinds.size(), 1U);
}

TEST_F(WatchdogTest, GoesBackToItsPaceWhenWaitsAreOldNews) {
  ThreadSlot& a = live_thread(ledger_, 21);
  live_thread(ledger_, 22);
  owners = {{0x1000, 22}};
  const std::uint64_t idle = watchdog_.pause_ns();
  turn();
  wait_for(a, 0x1000);
  turn();
  EXPECT_LT(watchdog_.pause_ns(), idle);
  for (int i = 0; i < 30; ++i) turn();
  EXPECT_EQ(watchdog_.pause_ns(), idle);
  EXPECT_TRUE(sink_.kinds.empty());
}

TEST_F(WatchdogTest, AStoppedProcessDoesNotWakeUpToALongWait) {
  ThreadSlot& a = live_thread(ledger_, 21);
  live_thread(ledger_, 22);
  owners = {{0x1000, 22}};
  turn();
  wait_for(a, 0x1000);
  turn();
  now_ += 3'600'000'000'000;
  for (int i = 0; i < 50; ++i) turn();
  EXPECT_TRUE(sink_.kinds.empty());
  for (int i = 0; i < 200; ++i) turn();
  EXPECT_EQ(sink_.kinds, std::vector{FindingKind::kLongWait});
}

// Whoever gets what he waits for soon after that was told of nevertheless.
TEST_F(WatchdogTest, ALongWaitIsToldAsItPassesTheThreshold) {
  constexpr std::uint64_t kThreshold = 300'000'000;
  Watchdog watchdog{*ledger_, {alive, name, probe, monotonic_ns, asleep}, {kThreshold}, &sink_};
  const auto turn_of_it = [&] {
    watchdog.turn(now = now_ += watchdog.pause_ns(), watchdog.pause_ns());
  };
  live_thread(ledger_, 22);
  turn_of_it();
  const std::uint64_t begin = now_;
  owners = {{0x1000, 22}};
  wait_for(live_thread(ledger_, 21), 0x1000);
  while (sink_.kinds.empty() && now_ - begin < 10 * kThreshold) turn_of_it();
  EXPECT_EQ(sink_.kinds, std::vector{FindingKind::kLongWait});
  EXPECT_LT(now_ - begin, kThreshold + 150'000'000);
}

TEST_F(WatchdogTest, CollectsIncidentsOnce) {
  Incidents incidents(*ledger_);
  EXPECT_FALSE(incidents.any());
  Incident* const incident = incidents.claim();
  ASSERT_NE(incident, nullptr);
  incident->site = 77;
  turn();
  EXPECT_TRUE(sink_.incidents.empty());
  Incidents::tell(*incident);
  turn();
  turn();
  EXPECT_EQ(sink_.incidents, std::vector<std::uint64_t>{77});
}

// ---- those who wait to be signalled

constexpr std::uint64_t kRoom = 0x5000;
constexpr std::uint64_t kWaitPc = 0x400'100;
const std::uint64_t kWaitPlace = wait_place(kWaitPc, 0x140);

class WaitsForOthersTest : public WatchdogTest {
 protected:
  void SetUp() override {
    WatchdogTest::SetUp();
    owners = {{kRoom, 0}};
    AwaitedLife(*ledger_, kRoom, LockKind::kCondition, kWaitPc, false).woken(kWaitPc, kWaitPlace);
    turn();
  }
  static void wait_for_room(ThreadSlot& slot) {
    slot.wait.object.store(kRoom);
    slot.wait.partner.store(0);
    slot.wait.place.store(kWaitPlace);
    slot.wait.site.store(kWaitPc | std::uint64_t{static_cast<std::uint8_t>(WaitKind::kCondition)}
                                       << kTraitShift);
    slot.wait.tick.store(published_tick.value.load());
    slot.wait.sequence.fetch_add(1);
  }
  ThreadSlot& worker(std::uint32_t tid) {
    ThreadSlot& slot = live_thread(ledger_, tid);
    note_signal(slot, &*ledger_, {kRoom, 0x400'200, SignalKind::kSignal}, 1);
    return slot;
  }
  void pass(std::uint64_t ns) {
    for (const std::uint64_t begin = now_; now_ - begin < ns;) turn();
  }
};

TEST_F(WaitsForOthersTest, AStuckGroupIsToldWithinASecond) {
  ThreadSlot& first = worker(21);
  ThreadSlot& last = worker(22);
  live_thread(ledger_, 23);
  wait_for_room(first);
  pass(60'000'000'000);  // at its slowest pace
  EXPECT_TRUE(sink_.kinds.empty());
  wait_for_room(last);
  const std::uint64_t formed = now_;
  while (sink_.kinds.empty() && now_ - formed < 2'000'000'000) turn();
  EXPECT_EQ(sink_.kinds, std::vector{FindingKind::kStuckCondition});
  EXPECT_LE(now_ - formed, 800'000'000U);
  pass(10'000'000'000);
  EXPECT_EQ(sink_.kinds.size(), 1U);
}

TEST_F(WaitsForOthersTest, ASignallerThatJoinsCompletesTheGroup) {
  ThreadSlot& consumer = live_thread(ledger_, 21);
  ThreadSlot& producer = worker(22);
  consumer.thread.store(0x7021);
  wait_for_room(consumer);
  pass(20'000'000'000);
  producer.wait.object.store(0x7021);
  producer.wait.site.store(std::uint64_t{static_cast<std::uint8_t>(WaitKind::kJoin)}
                           << kTraitShift);
  producer.wait.tick.store(published_tick.value.load());
  producer.wait.sequence.fetch_add(1);
  const std::uint64_t formed = now_;
  while (sink_.kinds.empty() && now_ - formed < 2'000'000'000) turn();
  EXPECT_EQ(sink_.kinds, std::vector{FindingKind::kStuckCondition});
  EXPECT_LE(now_ - formed, 1'000'000'000U);
}

TEST_F(WaitsForOthersTest, AnIdlePoolIsHardlyLookedAt) {
  worker(20);
  for (std::uint32_t tid = 100; tid < 600; ++tid) wait_for_room(live_thread(ledger_, tid));
  pass(10'000'000'000);
  const unsigned before = looks();
  pass(60'000'000'000);
  EXPECT_LE(looks() - before, 30U);
  EXPECT_GE(looks() - before, 25U);  // somebody had the mutex when it was looked at last
  EXPECT_TRUE(sink_.kinds.empty());
}

TEST_F(WaitsForOthersTest, ABusyPoolIsLookedAtFourTimesASecond) {
  worker(20);
  std::vector<ThreadSlot*> pool;
  for (std::uint32_t tid = 100; tid < 110; ++tid) {
    pool.push_back(&live_thread(ledger_, tid));
    wait_for_room(*pool.back());
  }
  pass(2'000'000'000);
  const unsigned before = looks();
  const std::uint64_t begin = now_;
  for (std::size_t next = 0; now_ - begin < 20'000'000'000; ++next) {
    ThreadSlot& slot = *pool[next % pool.size()];
    slot.wait.sequence.fetch_add(1);
    wait_for_room(slot);
    turn();
  }
  EXPECT_LE(looks() - before, 80U);
  EXPECT_GE(looks() - before, 40U);
}

TEST_F(WaitsForOthersTest, NobodyLooksIfThatIsNotWanted) {
  Watchdog watchdog{
      *ledger_, {alive, name, probe, monotonic_ns, asleep}, {10'000'000'000, false}, &sink_};
  wait_for_room(worker(21));
  clock_readings = 0;
  for (int i = 0; i < 100; ++i) {
    watchdog.turn(now = now_ += watchdog.pause_ns(), watchdog.pause_ns());
  }
  EXPECT_EQ(looks(), 0U);
  EXPECT_TRUE(sink_.kinds.empty());
}

}  // namespace
}  // namespace impasse
