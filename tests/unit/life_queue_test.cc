#include "detector/life_queue.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <thread>
#include <vector>

#include "test_ledger.h"

namespace impasse {
namespace {

using test::TestLedger;

constexpr std::uint64_t kRoom = kSmallGeometry.lives;

LifeEvent birth(std::uint64_t moment) {
  return {LifeEvent::Kind::kBorn, static_cast<ThreadNumber>(moment), 1, moment, ~moment};
}

std::vector<std::uint64_t> moments_in(LifeQueue& queue) {
  std::vector<std::uint64_t> moments;
  queue.each([&](const LifeEvent& event) { moments.push_back(event.moment); });
  return moments;
}

TEST(LifeQueue, TakesNoMemoryBeforeTheFirst) {
  TestLedger ledger;
  LifeQueue queue(*ledger);
  EXPECT_TRUE(moments_in(queue).empty());
  EXPECT_EQ(ledger->header().lives_open.load(), 0U);
}

TEST(LifeQueue, KeepsTheOrderInWhichItWasTold) {
  TestLedger ledger;
  LifeQueue queue(*ledger);
  queue.tell({LifeEvent::Kind::kBorn, 2, 1, 10, 0x7f00, 0x7ffe'0010});
  queue.tell({LifeEvent::Kind::kEnded, 2, 0, 11, 0x7f00});
  queue.tell({LifeEvent::Kind::kJoined, 0, 1, 12, 0x7f00});
  std::vector<LifeEvent> events;
  queue.each([&](const LifeEvent& event) { events.push_back(event); });
  ASSERT_EQ(events.size(), 3U);
  EXPECT_EQ(events[0].kind, LifeEvent::Kind::kBorn);
  EXPECT_EQ(events[0].stack_pointer, 0x7ffe'0010U);
  EXPECT_EQ(events[0].thread, 2U);
  EXPECT_EQ(events[0].other, 1U);
  EXPECT_EQ(events[0].moment, 10U);
  EXPECT_EQ(events[0].handle, 0x7f00U);
  EXPECT_EQ(events[1].kind, LifeEvent::Kind::kEnded);
  EXPECT_EQ(events[2].kind, LifeEvent::Kind::kJoined);
  EXPECT_TRUE(moments_in(queue).empty());
}

TEST(LifeQueue, GoesRoundWithoutAnEnd) {
  TestLedger ledger;
  LifeQueue queue(*ledger);
  std::uint64_t next = 1;
  for (int round = 0; round < 20; ++round) {
    std::vector<std::uint64_t> expected;
    for (std::uint64_t i = 0; i < kRoom - 3; ++i) {
      queue.tell(birth(next));
      expected.push_back(next++);
    }
    EXPECT_EQ(moments_in(queue), expected);
  }
  EXPECT_EQ(queue.lost(), 0U);
  EXPECT_EQ(ledger->header().lives_open.load(), kRoom);
}

TEST(LifeQueue, WhatFindsNoRoomIsCounted) {
  TestLedger ledger;
  LifeQueue queue(*ledger);
  for (std::uint64_t i = 1; i <= kRoom + 5; ++i) queue.tell(birth(i));
  EXPECT_EQ(queue.lost(), 5U);
  const std::vector<std::uint64_t> moments = moments_in(queue);
  ASSERT_EQ(moments.size(), kRoom);
  EXPECT_EQ(moments.back(), kRoom);
  queue.tell(birth(9));
  EXPECT_EQ(moments_in(queue), std::vector<std::uint64_t>{9});
}

TEST(LifeQueue, NoMemoryIsCountedToo) {
  static bool room;
  room = true;
  TestLedger ledger(kSmallGeometry, [](void*, std::size_t) { return room; });
  room = false;
  LifeQueue queue(*ledger);
  queue.tell(birth(1));
  EXPECT_EQ(queue.lost(), 1U);
  room = true;
  queue.tell(birth(2));
  EXPECT_EQ(moments_in(queue), std::vector<std::uint64_t>{2});
}

TEST(LifeQueue, AsksToBeHeardWhenHalfFull) {
  TestLedger ledger;
  LifeQueue queue(*ledger);
  for (std::uint64_t i = 1; i <= kRoom; ++i) EXPECT_EQ(queue.tell(birth(i)), i == kRoom / 2);
}

// Every one that was told arrives whole, once, each thread's in their order.
TEST(LifeQueue, ManyThreadsTellOneListens) {
  TestLedger ledger;
  constexpr std::uint64_t kEach = 5'000;
  std::atomic<int> at_work{4};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      LifeQueue queue(*ledger);
      for (std::uint64_t i = 0; i < kEach; ++i) {
        queue.tell({LifeEvent::Kind::kEnded, static_cast<ThreadNumber>(t), 0, i, ~i});
      }
      at_work.fetch_sub(1);
    });
  }
  std::uint64_t heard = 0;
  std::uint64_t next[4] = {};
  LifeQueue queue(*ledger);
  const auto listen = [&] {
    queue.each([&](const LifeEvent& event) {
      ASSERT_LT(event.thread, 4U);
      EXPECT_EQ(event.handle, ~event.moment);
      EXPECT_GE(event.moment, next[event.thread]);
      next[event.thread] = event.moment + 1;
      ++heard;
    });
  };
  while (at_work.load() != 0) listen();
  for (std::thread& thread : threads) thread.join();
  listen();
  EXPECT_EQ(heard + queue.lost(), 4 * kEach);
  EXPECT_GT(heard, 0U);
}

}  // namespace
}  // namespace impasse
