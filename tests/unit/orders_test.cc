#include "detector/orders.h"

#include <gtest/gtest.h>

#include <random>

#include "order_scene.h"

namespace impasse {
namespace {

using Kind = LifeEvent::Kind;

class OrdersTest : public ::testing::Test {
 protected:
  explicit OrdersTest(const OrderOptions& options = {}) : orders_(options) {
    orders_.add(LifeEvent{Kind::kBorn, 1, 0, 1, 1});
    for (ThreadNumber t = 2; t <= 20; ++t) orders_.add(LifeEvent{Kind::kBorn, t, 1, t, t});
  }
  void see(ThreadNumber thread, const SightedLock& held, const SightedLock& wanted) {
    orders_.add(sight_of(thread, ++moment_, {held}, wanted));
  }
  // An object's lock: one of a class, at an address, taken at a place of the program.
  static SightedLock object(std::uint64_t its_class, std::uint64_t number, std::uint64_t site) {
    SightedLock lock = lock_of(number);
    lock.birth = 0x70'0000 + its_class;
    lock.site = 0x80'0000 + site;
    return lock;
  }

  Orders orders_;
  std::uint64_t moment_ = 1'000;
};

TEST_F(OrdersTest, ManyObjectsWithTheSameBugAreOneFinding) {
  for (std::uint64_t i = 0; i < 100; ++i) {
    see(2, object(1, 2 * i, 1), object(2, 2 * i + 1, 2));
    see(3, object(2, 2 * i + 1, 3), object(1, 2 * i, 4));
  }
  EXPECT_EQ(orders_.take_circles().size(), 1u);
  EXPECT_EQ(orders_.summary().circles, 1u);
  EXPECT_EQ(orders_.summary().alike, 99u);
  see(4, object(1, 500, 5), object(2, 501, 6));
  see(5, object(2, 501, 7), object(1, 500, 8));
  EXPECT_EQ(orders_.take_circles().size(), 1u) << "other places";
}

TEST_F(OrdersTest, TheSummaryAddsUp) {
  see(2, lock_of(1), lock_of(2));
  see(3, lock_of(1), lock_of(2));
  see(3, lock_of(2), lock_of(3));
  EXPECT_TRUE(orders_.take_circles().empty());
  const OrderSummary summary = orders_.summary();
  EXPECT_EQ(summary.locks, 3u);
  EXPECT_EQ(summary.edges, 2u);
  EXPECT_EQ(summary.sights, 3u);
  EXPECT_EQ(summary.kept_sights, 3u);
  EXPECT_EQ(summary.threads, 20u);
}

TEST_F(OrdersTest, EveryOrderCanBeListed) {
  see(2, lock_of(1), lock_of(2));
  see(3, lock_of(1), lock_of(2));
  orders_.take_circles();
  int edges = 0;
  orders_.for_each_edge([&](const LockLife& from, const LockLife& to, const OrderEdge& edge) {
    ++edges;
    EXPECT_EQ(from, life_of(1));
    EXPECT_EQ(to, life_of(2));
    EXPECT_EQ(edge.seen, 2u);
    ASSERT_EQ(edge.kept_count, 2u);
    EXPECT_EQ(orders_.sight(edge.kept[0]).thread, 2u);
  });
  EXPECT_EQ(edges, 1);
}

TEST_F(OrdersTest, AnEndedLocksOrdersAreForgotten) {
  see(2, lock_of(1), lock_of(2));
  orders_.take_circles();
  orders_.end(life_of(1));
  see(3, lock_of(2), lock_of(1));
  EXPECT_TRUE(orders_.take_circles().empty()) << "another lock at the same address, in truth";
}

TEST_F(OrdersTest, TheDeadAreSwept) {
  see(2, lock_of(1), lock_of(2));
  see(2, lock_of(2), lock_of(3));
  orders_.take_circles();
  orders_.sweep([](const LockLife& life) { return life != life_of(2); }, 100);
  EXPECT_EQ(orders_.summary().edges, 0u);
  EXPECT_EQ(orders_.summary().locks, 2u);
}

TEST_F(OrdersTest, WhatIsNotSettledWaits) {
  see(2, lock_of(1), lock_of(2));
  see(3, lock_of(2), lock_of(1));
  EXPECT_TRUE(orders_.take_circles(moment_ - 1).empty());
  EXPECT_EQ(orders_.take_circles(moment_).size(), 1u);
}

TEST_F(OrdersTest, WhoeverNeverSettlesDoesNotFillTheMemory) {
  for (std::size_t i = 0; i < Orders::kMostWaiting; ++i) {
    see(2, lock_of(i % 7), lock_of(10));
    if (i % 8'192 == 0) {
      EXPECT_TRUE(orders_.take_circles(0).empty());
    }
    if (orders_.summary().hurried != 0) break;
  }
  EXPECT_GT(orders_.summary().hurried, 0u);
  EXPECT_EQ(orders_.summary().edges, 7u);
}

TEST_F(OrdersTest, WithoutStepsItSaysSo) {
  see(2, lock_of(1), lock_of(2));
  see(3, lock_of(2), lock_of(1));
  EXPECT_TRUE(orders_.take_circles(Orders::kAll, 0).empty());
  EXPECT_EQ(orders_.summary().silences.out_of_steps, 1u);
}

TEST_F(OrdersTest, ClassesAreOffByDefault) {
  see(2, object(1, 1, 1), object(2, 2, 2));
  see(3, object(2, 4, 3), object(1, 3, 4));
  EXPECT_TRUE(orders_.take_circles().empty());
}

class OrderClassesTest : public OrdersTest {
 protected:
  OrderClassesTest() : OrdersTest({.classes = true}) {}
};

TEST_F(OrderClassesTest, DifferentObjectsOfTheSameKinds) {
  see(2, object(1, 1, 1), object(2, 2, 2));
  see(3, object(2, 4, 3), object(1, 3, 4));
  const auto found = orders_.take_circles();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].doubt, OrderDoubt::kClass);
  EXPECT_EQ(found[0].steps.size(), 2u);
}

TEST_F(OrderClassesTest, OneThreadIsSilentHereToo) {
  see(2, object(1, 1, 1), object(2, 2, 2));
  see(2, object(2, 4, 3), object(1, 3, 4));
  EXPECT_TRUE(orders_.take_circles().empty());
}

TEST_F(OrderClassesTest, AGateOfACommonKindGuards) {
  orders_.add(sight_of(2, ++moment_, {object(9, 90, 1), object(1, 1, 1)}, object(2, 2, 2)));
  orders_.add(sight_of(3, ++moment_, {object(9, 91, 1), object(2, 4, 3)}, object(1, 3, 4)));
  EXPECT_TRUE(orders_.take_circles().empty());
}

TEST_F(OrderClassesTest, ACircleOfLocksIsNotToldTwice) {
  see(2, object(1, 1, 1), object(2, 2, 2));
  see(3, object(2, 2, 3), object(1, 1, 4));
  const auto found = orders_.take_circles();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].doubt, OrderDoubt::kNone);
}

TEST_F(OrderClassesTest, OnceItIsTheSameObjectsItIsNews) {
  see(2, object(1, 1, 1), object(2, 2, 2));
  see(3, object(2, 4, 3), object(1, 3, 4));
  EXPECT_EQ(orders_.take_circles().size(), 1u);
  see(4, object(2, 2, 3), object(1, 1, 4));
  const auto found = orders_.take_circles();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].doubt, OrderDoubt::kNone);
}

TEST_F(OrderClassesTest, ALockOfUnknownBirthHasNoClass) {
  SightedLock nameless = object(1, 1, 1);
  nameless.birth = 0;
  SightedLock other = object(1, 3, 4);
  other.birth = 0;
  see(2, nameless, object(2, 2, 2));
  see(3, object(2, 4, 3), other);
  EXPECT_TRUE(orders_.take_circles().empty());
}

TEST_F(OrderClassesTest, BothWaysWithinOneClass) {
  see(2, object(1, 10, 1), object(1, 20, 2));
  EXPECT_TRUE(orders_.take_circles().empty());
  see(3, object(1, 40, 1), object(1, 30, 2));
  const auto found = orders_.take_circles();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].doubt, OrderDoubt::kClass);
}

TEST_F(OrderClassesTest, OneWayByAddressIsAnOrder) {
  for (std::uint64_t i = 0; i < 50; ++i) {
    see(static_cast<ThreadNumber>(2 + i % 10), object(1, i, 1), object(1, i + 1 + i % 3, 2));
  }
  EXPECT_TRUE(orders_.take_circles().empty());
}

TEST_F(OrderClassesTest, BothWaysByOneThreadAreSilent) {
  see(2, object(1, 10, 1), object(1, 20, 2));
  see(2, object(1, 40, 1), object(1, 30, 2));
  EXPECT_TRUE(orders_.take_circles().empty());
}

// A list is walked hand over hand; its nodes lie anywhere.
TEST_F(OrderClassesTest, HandOverHandIsSilent) {
  std::mt19937_64 random(6);
  std::vector<std::uint64_t> nodes(40);
  for (std::uint64_t i = 0; i < nodes.size(); ++i) nodes[i] = 100 + i;
  std::shuffle(nodes.begin(), nodes.end(), random);
  for (ThreadNumber thread = 2; thread < 10; ++thread) {
    see(thread, object(1, nodes[0], 1), object(1, nodes[1], 2));
    for (std::size_t i = 1; i + 1 < nodes.size(); ++i) {
      see(thread, object(1, nodes[i], 2), object(1, nodes[i + 1], 2));
    }
  }
  EXPECT_TRUE(orders_.take_circles().empty());
}

TEST_F(OrderClassesTest, ParentsBeforeChildrenIsAnOrder) {
  for (std::uint64_t i = 0; i < 40; ++i) {
    const auto thread = static_cast<ThreadNumber>(2 + i % 10);
    see(thread, object(1, 100 + (i * 7) % 50, 1), object(2, 100 + (i * 13) % 50 + 50, 2));
  }
  EXPECT_TRUE(orders_.take_circles().empty());
}

}  // namespace
}  // namespace impasse
