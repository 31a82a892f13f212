#include "detector/sight_queue.h"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "test_ledger.h"

namespace impasse {
namespace {

using test::TestLedger;

constexpr std::uint64_t kRoom = kSmallGeometry.sights;
constexpr std::size_t kInRecord = sizeof(RawSight::rest);
constexpr std::size_t kInTail = sizeof(SightTail::rest);
constexpr unsigned kTogether = 4;  // who tells opens so many

std::vector<std::uint64_t> moments_in(SightQueue& queue) {
  std::vector<std::uint64_t> moments;
  queue.each([&](const RawSight& sight) { moments.push_back(sight.moment); });
  std::sort(moments.begin(), moments.end());
  return moments;
}

TEST(SightQueue, TakesNoMemoryBeforeTheFirst) {
  TestLedger ledger;
  SightQueue queue(*ledger);
  EXPECT_FALSE(queue.any());
  EXPECT_TRUE(moments_in(queue).empty());
  EXPECT_EQ(ledger->header().sights_used.load(), 0U);
}

TEST(SightQueue, WhatWasToldArrivesOnce) {
  TestLedger ledger;
  SightQueue queue(*ledger);
  for (std::uint64_t moment = 1; moment <= 3; ++moment) {
    RawSight* const sight = queue.claim();
    ASSERT_NE(sight, nullptr);
    sight->moment = moment;
    queue.tell(*sight);
  }
  RawSight* const unfinished = queue.claim();
  ASSERT_NE(unfinished, nullptr);
  EXPECT_EQ(moments_in(queue), (std::vector<std::uint64_t>{1, 2, 3}));
  EXPECT_TRUE(moments_in(queue).empty());
  EXPECT_TRUE(queue.any());
  queue.discard(*unfinished);
  EXPECT_FALSE(queue.any());
}

TEST(SightQueue, OneRecordServesWhileThereIsOneAtATime) {
  TestLedger ledger;
  SightQueue queue(*ledger);
  for (int i = 0; i < 1'000; ++i) {
    queue.tell(*queue.claim());
    EXPECT_EQ(moments_in(queue).size(), 1U);
  }
  // ... beside those that our own thread keeps ready.
  const std::uint64_t used = ledger->header().sights_used.load();
  EXPECT_GT(used, 1U);
  EXPECT_LT(used, kRoom);
}

// Whoever tells must not have to take memory into use where our own thread came before.
TEST(SightQueue, OurOwnThreadReadiesWhatItFreesAndSomeMore) {
  static std::size_t reserved;
  TestLedger ledger(kSmallGeometry, [](void*, std::size_t bytes) {
    reserved += bytes;
    return true;
  });
  SightQueue queue(*ledger);
  RawSight* const first = queue.claim();
  reserved = 0;
  EXPECT_EQ(queue.ready(*first, 100), 100U);
  EXPECT_EQ(reserved, 0U);
  EXPECT_EQ(queue.ready(*first, kPage), kPage);
  EXPECT_EQ(reserved, kPage);
  queue.tell(*first);
  for (unsigned i = 1; i < kTogether; ++i) queue.tell(*queue.claim());
  moments_in(queue);
  reserved = 0;
  for (int i = 0; i < 8; ++i) ASSERT_NE(queue.claim(), nullptr);
  EXPECT_EQ(reserved, 0U);
}

TEST(SightQueue, SomeAreReadyBeforeTheFirstIsTold) {
  static std::size_t calls;
  TestLedger ledger(kSmallGeometry, [](void*, std::size_t) { return ++calls != 0; });
  SightQueue queue(*ledger);
  queue.prepare();
  EXPECT_FALSE(queue.any());
  calls = 0;
  for (int i = 0; i < 16; ++i) {
    RawSight* const sight = queue.claim();
    ASSERT_NE(sight, nullptr);
    EXPECT_EQ(queue.ready(*sight, kInRecord), kInRecord);
  }
  EXPECT_EQ(calls, 0U);
}

// Each call costs more than a page does.
TEST(SightQueue, WhatIsNeededIsAskedForAtOnce) {
  static std::vector<std::size_t> asked;
  TestLedger ledger(kSmallGeometry, [](void*, std::size_t bytes) {
    asked.push_back(bytes);
    return true;
  });
  SightQueue queue(*ledger);
  asked.clear();
  RawSight* const sight = queue.claim();
  EXPECT_EQ(asked, (std::vector<std::size_t>{kTogether * kPage}));
  EXPECT_EQ(queue.ready(*sight, kInRecord), kInRecord);
  EXPECT_EQ(asked.size(), 1U);
  // The next ones need not ask.
  for (unsigned i = 1; i < kTogether; ++i) EXPECT_NE(queue.claim(), nullptr);
  EXPECT_EQ(asked.size(), 1U);
  asked.clear();
  EXPECT_EQ(queue.ready(*sight, 2 * kPage + 1), 2 * kPage + 1);
  EXPECT_EQ(queue.ready(*sight, 100), 100U);
  EXPECT_EQ(queue.ready(*sight, 3 * kPage), 3 * kPage);
  EXPECT_EQ(asked, (std::vector<std::size_t>{3 * kPage}));
}

TEST(SightQueue, WhatDoesNotFitStandsInTheTailAlone) {
  TestLedger ledger;
  SightQueue queue(*ledger);
  RawSight& first = *queue.claim();
  RawSight& second = *queue.claim();
  EXPECT_EQ(queue.rest_of(first).data(), first.rest);
  ASSERT_EQ(queue.ready(second, kInRecord + 1), kInRecord + 1);
  EXPECT_EQ(queue.rest_of(second).size(), kInTail);
  const auto number = static_cast<std::uint64_t>(&second - &ledger->sight(0));
  EXPECT_EQ(queue.rest_of(second).data(), ledger->sight_tail(number).rest);
  ASSERT_EQ(queue.ready(first, kInTail), kInTail);
  EXPECT_EQ(queue.rest_of(first).data(), ledger->sight_tail(0).rest);
  // The next one to use the record has less to say.
  queue.discard(first);
  RawSight& third = *queue.claim();
  ASSERT_EQ(&third, &first);
  EXPECT_EQ(queue.rest_of(third).data(), third.rest);
}

TEST(SightQueue, OneThatCouldNotBeReadiedIsLeftAlone) {
  static bool room;
  room = true;
  TestLedger ledger(kSmallGeometry, [](void*, std::size_t) { return room; });
  SightQueue queue(*ledger);
  room = false;
  queue.prepare();
  room = true;
  const std::uint64_t lost = ledger->header().sights_used.load();
  ASSERT_GT(lost, 0U);
  ASSERT_LT(lost, kRoom);
  ASSERT_EQ(mprotect(&ledger->sight(0), lost * sizeof(RawSight), PROT_NONE), 0);
  for (std::uint64_t moment = 0; moment < kRoom - lost; ++moment) {
    RawSight* const sight = queue.claim();
    ASSERT_NE(sight, nullptr);
    sight->moment = moment;
    queue.tell(*sight);
  }
  EXPECT_EQ(queue.claim(), nullptr);
  EXPECT_FALSE(queue.give_back(0, [](void*, std::size_t) { FAIL(); }));
  EXPECT_EQ(moments_in(queue).size(), kRoom - lost);
}

TEST(SightQueue, WhereThereIsNoMemoryTheRecordEnds) {
  static bool room;
  room = true;
  TestLedger ledger(kSmallGeometry, [](void*, std::size_t) { return room; });
  RawSight* const sight = SightQueue(*ledger).claim();
  room = false;
  EXPECT_EQ(SightQueue(*ledger).ready(*sight, kInTail), kInRecord);
  EXPECT_EQ(SightQueue(*ledger).rest_of(*sight).data(), sight->rest);
}

TEST(SightQueue, AFullOneRefusesUntilItWasEmptied) {
  TestLedger ledger;
  SightQueue queue(*ledger);
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t i = 0; i < kRoom; ++i) {
      RawSight* const sight = queue.claim();
      ASSERT_NE(sight, nullptr);
      queue.tell(*sight);
    }
    EXPECT_EQ(queue.claim(), nullptr);
    EXPECT_TRUE(queue.refuses());
    // Once for each time that it was full.
    EXPECT_EQ(ledger.counter(k_order_sights_postponed), round + 1U);
    EXPECT_EQ(moments_in(queue).size(), kRoom);
  }
}

TEST(SightQueue, AsksToBeHeardWhenFewAreReadyAndLaterWhenHalfFull) {
  TestLedger ledger;
  SightQueue queue(*ledger);
  unsigned at_first = 0;
  for (unsigned i = 0; i < 2 * kTogether; ++i) at_first += queue.tell(*queue.claim()) ? 1 : 0;
  EXPECT_EQ(at_first, 1U);  // few are ready
  moments_in(queue);
  for (int round = 0; round < 2; ++round) {
    unsigned asked = 0;
    for (std::uint64_t i = 1; i <= kRoom; ++i) asked += queue.tell(*queue.claim()) ? 1 : 0;
    EXPECT_EQ(asked, 1U);
    moments_in(queue);
  }
}

TEST(SightQueue, NoMemoryIsCountedAndLeavesTheRest) {
  static bool room;
  room = true;
  TestLedger ledger(kSmallGeometry, [](void*, std::size_t) { return room; });
  SightQueue queue(*ledger);
  for (unsigned i = 0; i < kTogether; ++i) queue.tell(*queue.claim());
  room = false;
  EXPECT_EQ(queue.claim(), nullptr);
  EXPECT_EQ(ledger.counter(k_order_sights_postponed), 1U);
  EXPECT_EQ(moments_in(queue).size(), kTogether);
  EXPECT_NE(queue.claim(), nullptr);
}

RawSightedLock raw_lock(std::uint64_t address, std::uint8_t traits, std::uint8_t marks) {
  return {address,
          3,
          5,
          site_word(0x5555'0000'1000 + address, traits, marks),
          0xabcd'0011ULL << 32 | 77,
          0x4000};
}

TEST(SightQueue, ARecordBecomesASight) {
  TestLedger ledger;
  SightQueue queue(*ledger);
  RawSight& raw = *queue.claim();
  raw.thread = 9;
  raw.tid = 4711;
  raw.again = 1;
  raw.moment = 12;
  raw.when_ns = 13;
  raw.path = 14;
  constexpr auto kRead = static_cast<std::uint8_t>(LockKind::kRwlock) | hold_trait::kShared;
  raw.wanted = raw_lock(0x100, kRead | hold_trait::kTimed, sight_mark::kPrefersWriters);
  raw.held_count = 2;
  RawSightedLock* const held = held_in(queue.rest_of(raw));
  held[0] = raw_lock(0x200, hold_trait::kTry, 0);
  held[1] = raw_lock(0x300, 0, sight_mark::kOnStack);
  raw.stack_bytes = 100;
  std::memcpy(raw.name, "sixteen letters!", sizeof raw.name);
  const OrderSight sight = sight_of(raw, queue.rest_of(raw));
  EXPECT_EQ(sight.thread, 9U);
  EXPECT_EQ(sight.tid, 4711U);
  EXPECT_EQ(sight.moment, 12U);
  EXPECT_EQ(sight.when_ns, 13U);
  EXPECT_EQ(sight.path, 14U);
  EXPECT_TRUE(sight.again);
  EXPECT_EQ(sight.wanted.life, (LockLife{0x100, 3, 5}));
  EXPECT_EQ(sight.wanted.kind, LockKind::kRwlock);
  EXPECT_TRUE(sight.wanted.shared && sight.wanted.timed && sight.wanted.prefers_writers);
  EXPECT_FALSE(sight.wanted.tried || sight.wanted.on_stack);
  EXPECT_EQ(sight.wanted.site, 0x5555'0000'1100U);
  EXPECT_EQ(sight.wanted.birth, 0x4000U);
  EXPECT_EQ(sight.wanted.stack_low, 0xabcd'0011U);
  EXPECT_EQ(sight.wanted.tick, 77U);
  ASSERT_EQ(sight.held.size(), 2U);
  EXPECT_EQ(sight.held[0].kind, LockKind::kMutex);
  EXPECT_TRUE(sight.held[0].tried);
  EXPECT_FALSE(sight.held[0].shared);
  EXPECT_TRUE(sight.held[1].on_stack);
  EXPECT_EQ(sight.held[1].stack_of, 9U);
  EXPECT_EQ(sight.held[0].stack_of, 0U);
  EXPECT_EQ(sight.name, "sixteen letters!");
  EXPECT_EQ(stack_of(raw, queue.rest_of(raw)).size(), 100U);
  EXPECT_EQ(stack_of(raw, queue.rest_of(raw)).data(), reinterpret_cast<std::uint8_t*>(held + 2));
}

// The ledger can be written by anybody who may open its file.
TEST(SightQueue, NumbersOutOfBoundsAreNotFollowed) {
  TestLedger ledger;
  SightQueue queue(*ledger);
  RawSight& raw = *queue.claim();
  ASSERT_EQ(queue.ready(raw, kInTail), kInTail);
  raw.held_count = ~0U;
  raw.stack_bytes = ~0U;
  const std::span<const std::uint8_t> rest = queue.rest_of(raw);
  // Not some of them: the others might be gates.
  EXPECT_TRUE(sight_of(raw, rest).held.empty());
  EXPECT_TRUE(stack_of(raw, rest).empty());
  raw.held_count = kSightedLocks;
  EXPECT_EQ(sight_of(raw, rest).held.size(), kSightedLocks);
  EXPECT_TRUE(sight_of(raw, raw.rest).held.empty());  // so many do not fit there
  EXPECT_TRUE(stack_of(raw, rest).empty());
  raw.stack_bytes = static_cast<std::uint32_t>(stack_room(kSightedLocks));
  const auto stack = stack_of(raw, rest);
  EXPECT_EQ(stack.data() + stack.size(), rest.data() + rest.size());
  raw.held_count = 0;
  raw.stack_bytes = kInRecord;
  EXPECT_EQ(stack_of(raw, raw.rest).size(), kInRecord);
  raw.stack_bytes = kInRecord + 1;
  EXPECT_TRUE(stack_of(raw, raw.rest).empty());
}

// Every one that was told arrives whole, once; the others are counted.
TEST(SightQueue, ManyThreadsTellOneListens) {
  TestLedger ledger;
  constexpr std::uint64_t kEach = 3'000;
  std::atomic<std::uint64_t> told{0};
  std::atomic<int> at_work{4};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      SightQueue queue(*ledger);
      for (std::uint64_t i = 0; i < kEach; ++i) {
        RawSight* const sight = queue.claim();
        if (sight == nullptr) continue;
        if (i % 16 == 0) {
          queue.discard(*sight);
          continue;
        }
        sight->moment = t * kEach + i;
        sight->path = ~sight->moment;
        told.fetch_add(1);
        queue.tell(*sight);
      }
      at_work.fetch_sub(1);
    });
  }
  std::set<std::uint64_t> heard;
  SightQueue queue(*ledger);
  const auto listen = [&] {
    queue.each([&](const RawSight& sight) {
      EXPECT_EQ(sight.path, ~sight.moment);
      EXPECT_TRUE(heard.insert(sight.moment).second);
    });
  };
  while (at_work.load() != 0) listen();
  for (std::thread& thread : threads) thread.join();
  listen();
  EXPECT_EQ(heard.size(), told.load());
  EXPECT_GT(heard.size(), 0U);
  EXPECT_FALSE(queue.any());
  EXPECT_EQ(ledger->header().sights_taken.load(), 0U);
}

}  // namespace
}  // namespace impasse
