#include "detector/call_tally.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <thread>
#include <vector>

#include "detector/call_reader.h"
#include "detector/lock_table.h"
#include "test_ledger.h"

namespace impasse {
namespace {

using test::TestLedger;

struct Figures {
  std::uint64_t count = 0, sum = 0, most = 0, last = 0;

  void add(const Figures& other) {
    count += other.count;
    sum += other.sum;
    most = std::max(most, other.most);
    last = std::max(last, other.last);
  }
  friend bool operator==(const Figures&, const Figures&) = default;
};
using Key = std::pair<std::uint64_t, std::uint64_t>;  // lock, site
using Model = std::map<Key, Figures>;

// What the ledger says, equal keys added up.
Model contents(Ledger& ledger) {
  Model model;
  for (std::uint64_t i = 0; i < ledger.header().calls_open.load(); ++i) {
    const CallRecord& record = ledger.call(i);
    if (record.site.load() == 0) continue;
    model[{record.lock.load(), record.site.load()}].add(
        {record.count.load(), record.sum_ns.load(), record.most_ns.load(), record.last_ns.load()});
  }
  return model;
}

Figures everything(const Model& model) {
  Figures all;
  for (const auto& [key, figures] : model) all.add(figures);
  return all;
}

std::uint64_t site(std::uint64_t pc) {
  return call_word(BlockingCall::k_read, pc);
}

void note(CallTally& tally, Model& model, Key key, std::uint64_t took, std::uint64_t now) {
  tally.note({key.second, took, now}, key.first, 0x77);
  model[key].add({1, took, took, now});
}

TEST(BlockingCall, IsKnownByEachNameOfLibc) {
  const auto is = [](std::string_view symbol, BlockingCall call) {
    return blocking_call_named(symbol) == static_cast<std::size_t>(call);
  };
  EXPECT_TRUE(is("read", BlockingCall::k_read));
  EXPECT_TRUE(is("__read_chk", BlockingCall::k_read));
  EXPECT_TRUE(is("__pread64_chk", BlockingCall::k_pread));
  EXPECT_TRUE(is("__open64_2", BlockingCall::k_open));
  EXPECT_TRUE(is("accept4", BlockingCall::k_accept4));
  EXPECT_EQ(blocking_call_named("close"), kBlockingCalls);
  EXPECT_EQ(word_of(BlockingCall::k_fsync), "fsync");
}

TEST(CallTally, TakesNoMemoryBeforeTheFirstAndAPageThen) {
  TestLedger ledger;
  EXPECT_EQ(ledger->header().calls_open.load(), 0U);
  CallTally tally(*ledger);
  Model model;
  note(tally, model, {0x1000, site(0x400)}, 5, 10);
  EXPECT_EQ(ledger->header().calls_open.load(), kPage / sizeof(CallRecord));
  EXPECT_EQ(contents(*ledger), model);
}

TEST(CallTally, KeepsLocksCallsAndPlacesApart) {
  TestLedger ledger;
  CallTally tally(*ledger);
  Model model;
  note(tally, model, {0x1000, call_word(BlockingCall::k_read, 0x400)}, 5, 10);
  note(tally, model, {0x1000, call_word(BlockingCall::k_write, 0x400)}, 6, 11);
  note(tally, model, {0x1000, call_word(BlockingCall::k_read, 0x404)}, 7, 12);
  note(tally, model, {0x1040, call_word(BlockingCall::k_read, 0x400)}, 8, 13);
  note(tally, model, {0x1000, call_word(BlockingCall::k_read, 0x400)}, 2, 14);
  EXPECT_EQ(model.size(), 4U);
  EXPECT_EQ(contents(*ledger), model);
  const Key first{0x1000, call_word(BlockingCall::k_read, 0x400)};
  EXPECT_EQ(contents(*ledger)[first], (Figures{2, 7, 5, 14}));
}

TEST(CallTally, GrowsAndStaysExactWhileThereIsRoom) {
  TestLedger ledger;
  CallTally tally(*ledger);
  Model model;
  std::mt19937_64 random(7);
  for (std::uint64_t now = 1; now < 5'000; ++now) {
    note(tally, model, {0x1000 + 64 * (random() % 8), site(0x400 + random() % 8)}, random() % 1000,
         now);
  }
  EXPECT_EQ(contents(*ledger), model);
  EXPECT_GT(ledger->header().calls_open.load(), CallTally::kFirstLevel);
}

TEST(CallTally, WhenItIsFullTheIdlestGiveWayAndNothingIsLost) {
  TestLedger ledger;
  CallTally tally(*ledger);
  Model model;
  const Key busy{0x1000, site(0x999)};
  for (std::uint64_t now = 1; now <= 20'000; ++now) {
    note(tally, model, {0x8000 + 64 * (now % 5'000), site(0x400 + now % 3)}, now % 100, now);
    if (now % 10 == 0) note(tally, model, busy, 1, now);
  }
  Model there = contents(*ledger);
  EXPECT_EQ(ledger->header().calls_open.load(), ledger->call_capacity());
  EXPECT_EQ(ledger->header().counters[k_calls_dropped].load(), 0U);
  EXPECT_EQ(everything(there), everything(model));
  EXPECT_EQ(there[busy], model[busy]);
  std::uint64_t of_several = 0;
  for (std::uint64_t pc = 0x400; pc < 0x403; ++pc) of_several += there[{0, site(pc)}].count;
  EXPECT_GT(of_several, 19'000U - ledger->call_capacity());
}

TEST(CallTally, WhatFindsNoMemoryIsCounted) {
  TestLedger ledger;
  CallTally tally(*ledger, [] { return false; });
  tally.note({site(0x400), 5, 10}, 0x1000, 0x77);
  tally.note({site(0x400), 5, 11}, 0x1000, 0x77);
  EXPECT_EQ(ledger->header().calls_open.load(), 0U);
  EXPECT_EQ(ledger->header().counters[k_calls_dropped].load(), 2U);
}

TEST(CallTally, ALockThatBeginsToMatterIsTheSameLock) {
  TestLedger ledger;
  CallTally tally(*ledger);
  Model model;
  const Key key{0x5000, site(0x400)};
  note(tally, model, key, 5, 10);
  LockTable(*ledger).matters(0x5000, LockKind::kMutex, 1);
  note(tally, model, key, 6, 11);
  EXPECT_EQ(contents(*ledger), model);
}

TEST(CallTally, AnotherLockAtTheSameAddressBeginsAnew) {
  TestLedger ledger;
  CallTally tally(*ledger);
  LockTable locks(*ledger);
  const Key key{0x5000, site(0x400)};
  Model first;
  locks.matters(0x5000, LockKind::kMutex, 1);
  note(tally, first, key, 5, 10);
  note(tally, first, key, 6, 11);
  locks.end(0x5000);
  Model second;
  note(tally, second, key, 1, 12);
  Model there = contents(*ledger);
  EXPECT_EQ(there[key], second[key]);
  EXPECT_EQ((there[{0, key.second}]), first[key]);
}

TEST(CallReader, TellsTheLongestFirstAndAddsUpWhatStandsTwice) {
  TestLedger ledger;
  CallTally tally(*ledger);
  tally.note({call_word(BlockingCall::k_read, 0x400), 5, 10}, 0x1000, 0x77);
  tally.note({call_word(BlockingCall::k_fsync, 0x500), 50, 20}, 0x1000, 0x78);
  tally.note({call_word(BlockingCall::k_fsync, 0x500), 60, 30}, 0x1000, 0x79);
  // As it comes to be when a thread met a place that was being written.
  CallRecord* twin = nullptr;
  for (std::uint64_t i = 0; i < ledger->header().calls_open.load() && twin == nullptr; ++i) {
    if (ledger->call(i).site.load() == 0) twin = &ledger->call(i);
  }
  twin->lock = 0x1000;
  twin->held_site = 0x80;
  twin->count = 2;
  twin->sum_ns = 100;
  twin->most_ns = 70;
  twin->last_ns = 25;
  twin->site = call_word(BlockingCall::k_fsync, 0x500);
  const std::vector<CallFact> facts = read_own_calls(*ledger);
  ASSERT_EQ(facts.size(), 2U);
  EXPECT_EQ(facts[0].call, BlockingCall::k_fsync);
  EXPECT_EQ(facts[0].lock, 0x1000U);
  EXPECT_EQ(facts[0].site, 0x500U);
  EXPECT_EQ(facts[0].held_site, 0x79U);
  EXPECT_EQ(facts[0].count, 4U);
  EXPECT_EQ(facts[0].sum_ns, 210U);
  EXPECT_EQ(facts[0].most_ns, 70U);
  EXPECT_EQ(facts[0].last_ns, 30U);
  EXPECT_EQ(facts[1].call, BlockingCall::k_read);
  EXPECT_EQ(facts[1].count, 1U);
}

TEST(CallReader, WhatWasDoneUnderALockThatIsNoMoreIsOfSeveral) {
  TestLedger ledger;
  CallTally tally(*ledger);
  LockTable locks(*ledger);
  locks.matters(0x5000, LockKind::kMutex, 1);
  locks.matters(0x6000, LockKind::kMutex, 1);
  tally.note({site(0x400), 5, 10}, 0x5000, 0x77);
  tally.note({site(0x400), 7, 11}, 0x6000, 0x77);
  locks.end(0x5000);
  const std::vector<CallFact> facts = read_own_calls(*ledger);
  ASSERT_EQ(facts.size(), 2U);
  EXPECT_EQ(facts[0].lock, 0x6000U);
  EXPECT_EQ(facts[1].lock, 0U);
}

// Exclusive locks are noted by one thread at a time, shared ones by many.
void note_from_threads(Ledger& ledger, std::uint64_t locks, std::vector<Model>& models) {
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < models.size(); ++t) {
    threads.emplace_back([&ledger, &model = models[t], locks, t] {
      CallTally tally(ledger);
      std::mt19937_64 random(t);
      for (std::uint64_t now = 1; now < 4'000; ++now) {
        note(tally, model, {0x1000 + 64 * (random() % locks), site(0x400 + random() % 4)},
             random() % 1000, now);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(CallTally, ManyThreadsLoseNothing) {
  TestLedger ledger;
  std::vector<Model> models(4);
  note_from_threads(*ledger, 12, models);
  Model all;
  for (const Model& model : models) {
    for (const auto& [key, figures] : model) all[key].add(figures);
  }
  EXPECT_EQ(contents(*ledger), all);
}

TEST(CallTally, ManyThreadsLoseNothingWhenItIsFull) {
  TestLedger ledger;
  std::vector<Model> models(4);
  note_from_threads(*ledger, 2'000, models);
  Figures all;
  for (const Model& model : models) all.add(everything(model));
  const Figures there = everything(contents(*ledger));
  EXPECT_EQ(there.count + ledger->header().counters[k_calls_dropped].load(), all.count);
  EXPECT_LE(there.sum, all.sum);
  if (there.count == all.count) {
    EXPECT_EQ(there.sum, all.sum);
  }
}

}  // namespace
}  // namespace impasse
