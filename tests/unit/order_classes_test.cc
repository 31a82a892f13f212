// Orders within a class, one by one; orders_test.cc has circles between classes.
#include "detector/order_classes.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "detector/orders.h"
#include "order_scene.h"

namespace impasse {
namespace {

class OrdersWithinAClassTest : public ::testing::Test {
 protected:
  OrdersWithinAClassTest() : classes_(lives_, false) {
    lives_.add({LifeEvent::Kind::kBorn, 1, 0, 1, 1});
    for (ThreadNumber t = 2; t <= 20; ++t) lives_.add({LifeEvent::Kind::kBorn, t, 1, t, t});
  }
  static SightedLock of_class(SightedLock lock, std::uint64_t its_class) {
    lock.birth = 0x70'0000 + its_class;
    return lock;
  }
  static SightedLock object(std::uint64_t number) { return of_class(lock_of(number), 1); }
  // How many circles that tells.
  std::size_t see(ThreadNumber thread, std::vector<SightedLock> held, const SightedLock& wanted) {
    std::uint64_t allowance = Orders::kStepsATurn;
    std::vector<OrderCircle> found;
    classes_.add(sight_of(thread, ++moment_, std::move(held), wanted), allowance, found);
    return found.size();
  }

  ThreadLives lives_;
  OrderClasses classes_;
  std::uint64_t moment_ = 1'000;
};

TEST_F(OrdersWithinAClassTest, ALockOfItThatBothHaveGuards) {
  EXPECT_EQ(see(2, {object(1), object(10)}, object(20)), 0u);
  EXPECT_EQ(see(3, {object(1), object(40)}, object(30)), 0u);
  EXPECT_EQ(see(4, {object(2), object(40)}, object(30)), 1u) << "another one does not";
}

TEST_F(OrdersWithinAClassTest, ThreeObjectsInARowAreAnOrder) {
  EXPECT_EQ(see(2, {object(10)}, object(20)), 0u);
  EXPECT_EQ(see(3, {object(40)}, object(10)), 0u);
}

TEST_F(OrdersWithinAClassTest, WhatWasSeenBehindAGateLaterIsStillKnownWithout) {
  const SightedLock gate = of_class(lock_of(90), 2);
  EXPECT_EQ(see(2, {object(10)}, object(20)), 0u);
  EXPECT_EQ(see(2, {gate, object(10)}, object(20)), 0u);
  EXPECT_EQ(see(3, {gate, object(40)}, object(30)), 1u);
}

TEST_F(OrdersWithinAClassTest, OneThreadsManyDoNotDriveOutTheOthers) {
  EXPECT_EQ(see(3, {object(10)}, object(20)), 0u);
  for (std::uint64_t i = 100; i < 150; ++i) EXPECT_EQ(see(2, {object(i)}, object(i + 1)), 0u);
  EXPECT_EQ(see(2, {object(40)}, object(30)), 1u);
}

TEST_F(OrdersWithinAClassTest, OfTwoThatAreHeldTheOneInTheWayCounts) {
  const auto read = [](std::uint64_t number) { return of_class(reading(number), 3); };
  const auto write = [](std::uint64_t number) { return of_class(writing(number), 3); };
  EXPECT_EQ(see(2, {read(50), write(51)}, object(1)), 0u);
  EXPECT_EQ(see(3, {object(2)}, read(52)), 1u);
}

}  // namespace
}  // namespace impasse
