#include "detector/order_circles.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

#include "detector/orders.h"
#include "order_scene.h"

namespace impasse {
namespace {

using Kind = LifeEvent::Kind;

constexpr std::uint64_t A = 1, B = 2, C = 3, D = 4, G = 9;

// Threads 1 to 6, made by the first before anything else and never joined.
class OrderRulesTest : public ::testing::Test {
 protected:
  explicit OrderRulesTest(const OrderOptions& options = {}) : orders_(options) {
    orders_.add(LifeEvent{Kind::kBorn, 1, 0, 1, 1});
    for (ThreadNumber t = 2; t <= 6; ++t) orders_.add(LifeEvent{Kind::kBorn, t, 1, t, t});
  }
  void see(ThreadNumber thread, std::vector<SightedLock> held, SightedLock wanted) {
    orders_.add(sight_of(thread, ++moment_, std::move(held), wanted));
  }
  void see(ThreadNumber thread, std::uint64_t held, std::uint64_t wanted) {
    see(thread, {lock_of(held)}, lock_of(wanted));
  }
  std::vector<OrderCircle> circles() { return orders_.take_circles(); }

  Orders orders_;
  std::uint64_t moment_ = 100;
};

TEST_F(OrderRulesTest, TwoThreadsInContradictingOrders) {
  see(1, A, B);
  EXPECT_TRUE(circles().empty());
  see(2, B, A);
  const auto found = circles();
  ASSERT_EQ(found.size(), 1u);
  ASSERT_EQ(found[0].steps.size(), 2u);
  EXPECT_EQ(found[0].doubt, OrderDoubt::kNone);
  const OrderStep& step = found[0].steps[0];
  EXPECT_EQ(step.from, life_of(B));
  EXPECT_EQ(step.to, life_of(A));
  EXPECT_EQ(step.sight.thread, 2u);
  EXPECT_EQ(step.sight.held[step.held].life, step.from);
  EXPECT_EQ(step.seen, 1u);
  EXPECT_EQ(step.threads, 1u);
  EXPECT_EQ(found[0].steps[1].sight.thread, 1u);
}

TEST_F(OrderRulesTest, OneOrderIsNoCircle) {
  see(1, A, B);
  see(2, A, B);
  EXPECT_TRUE(circles().empty());
}

TEST_F(OrderRulesTest, ACircleOfAnyLength) {
  for (const std::uint64_t length : {3u, 5u}) {
    const std::uint64_t base = 10 * length;
    for (std::uint64_t i = 0; i < length; ++i) {
      EXPECT_TRUE(circles().empty());
      see(static_cast<ThreadNumber>(1 + i), base + i, base + (i + 1) % length);
    }
    const auto found = circles();
    ASSERT_EQ(found.size(), 1u);
    EXPECT_EQ(found[0].steps.size(), length);
  }
}

TEST_F(OrderRulesTest, TheShortestIsTold) {
  see(1, A, B);
  see(2, B, C);
  see(3, C, D);
  see(4, B, D);
  see(5, D, A);
  const auto found = circles();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].steps.size(), 3u);
}

TEST_F(OrderRulesTest, OneThreadAloneIsSilent) {
  see(1, A, B);
  see(1, B, A);
  EXPECT_TRUE(circles().empty());
  EXPECT_EQ(orders_.summary().silences.one_thread, 1u);
  see(2, B, A);  // an old order, by another thread
  EXPECT_EQ(circles().size(), 1u);
}

TEST_F(OrderRulesTest, ACommonGateGuards) {
  see(1, {lock_of(G), lock_of(A)}, lock_of(B));
  see(2, {lock_of(G), lock_of(B)}, lock_of(A));
  EXPECT_TRUE(circles().empty());
  EXPECT_EQ(orders_.summary().silences.gate, 1u);
}

TEST_F(OrderRulesTest, AGateThatOneWayLacksDoesNot) {
  see(1, {lock_of(G), lock_of(A)}, lock_of(B));
  see(2, {lock_of(G), lock_of(B)}, lock_of(A));
  see(3, B, A);
  EXPECT_EQ(circles().size(), 1u);
}

TEST_F(OrderRulesTest, ReadersOfAGateDoNotExcludeEachOther) {
  see(1, {reading(G), lock_of(A)}, lock_of(B));
  see(2, {reading(G), lock_of(B)}, lock_of(A));
  EXPECT_EQ(circles().size(), 1u);
}

TEST_F(OrderRulesTest, AGateReadAndWrittenGuards) {
  see(1, {reading(G), lock_of(A)}, lock_of(B));
  see(2, {writing(G), lock_of(B)}, lock_of(A));
  EXPECT_TRUE(circles().empty());
}

TEST_F(OrderRulesTest, NobodyStandsInTwoPlaces) {
  see(1, A, B);
  see(1, B, C);
  see(2, C, A);
  EXPECT_TRUE(circles().empty());
}

TEST_F(OrderRulesTest, ThreeOfTheSameCodeDo) {
  for (const ThreadNumber t : {1u, 2u, 3u}) {
    see(t, A, B);
    see(t, B, C);
    see(t, C, A);
  }
  const auto found = circles();
  ASSERT_EQ(found.size(), 1u) << "one place in the program, one finding";
  EXPECT_EQ(found[0].steps.size(), 3u);
}

TEST_F(OrderRulesTest, ReadersPass) {
  see(1, {reading(A)}, reading(B));
  see(2, {reading(B)}, reading(A));
  EXPECT_TRUE(circles().empty());
  EXPECT_EQ(orders_.summary().silences.readers, 1u);
}

TEST_F(OrderRulesTest, ReadersDoNotPassAWaitingWriter) {
  see(1, {reading(A, true)}, reading(B, true));
  see(2, {reading(B, true)}, reading(A, true));
  EXPECT_EQ(circles().size(), 1u);
}

TEST_F(OrderRulesTest, AWriterBehindReadersCounts) {
  see(1, {reading(A)}, writing(B));
  see(2, {reading(B)}, writing(A));
  EXPECT_EQ(circles().size(), 1u);
}

TEST_F(OrderRulesTest, OnePassingReaderIsEnough) {
  see(1, {lock_of(A)}, reading(B));
  see(2, {reading(B)}, lock_of(A));
  EXPECT_TRUE(circles().empty());
}

TEST_F(OrderRulesTest, WhatIsTriedMakesNoOrder) {
  SightedLock tried = lock_of(A);
  tried.tried = true;
  see(1, A, B);
  see(2, {lock_of(B)}, tried);
  EXPECT_TRUE(circles().empty());
  // But what was got by trying is held like any other.
  see(2, {tried}, lock_of(C));
  see(3, C, A);
  EXPECT_EQ(circles().size(), 1u);
}

TEST_F(OrderRulesTest, ARecursiveLockTakenAgainIsIgnored) {
  see(1, {lock_of(A), lock_of(B)}, lock_of(A));
  see(2, A, B);
  EXPECT_TRUE(circles().empty());
  see(3, B, A);
  EXPECT_EQ(circles().size(), 1u);
}

TEST_F(OrderRulesTest, AReaderThatReadsAgain) {
  see(1, {reading(A)}, reading(A));
  EXPECT_TRUE(circles().empty());
  see(1, {reading(B, true)}, reading(B, true));
  const auto found = circles();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].steps.size(), 1u);
  EXPECT_EQ(found[0].steps[0].from, found[0].steps[0].to);
}

TEST_F(OrderRulesTest, ATimedWaitIsInDoubt) {
  SightedLock timed = lock_of(A);
  timed.timed = true;
  see(1, A, B);
  see(2, {lock_of(B)}, timed);
  auto found = circles();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].doubt, OrderDoubt::kTimed);
  see(3, {lock_of(B)}, timed);
  EXPECT_TRUE(circles().empty());
  see(3, B, A);  // the same places, and now nobody would give up
  found = circles();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].doubt, OrderDoubt::kNone);
  see(4, B, A);
  see(4, {lock_of(B)}, timed);
  EXPECT_TRUE(circles().empty());
}

TEST_F(OrderRulesTest, ALongerOneWithoutDoubtIsPreferred) {
  SightedLock timed = lock_of(A);
  timed.timed = true;
  see(1, {lock_of(B)}, timed);
  see(2, B, C);
  see(3, C, A);
  see(4, A, B);
  const auto found = circles();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].steps.size(), 3u);
  EXPECT_EQ(found[0].doubt, OrderDoubt::kNone);
}

TEST_F(OrderRulesTest, BeforeTheOtherWasMadeIsNoDanger) {
  see(1, A, B);
  orders_.add(LifeEvent{Kind::kBorn, 7, 1, ++moment_, 7});
  see(7, B, A);
  EXPECT_TRUE(circles().empty());
  EXPECT_EQ(orders_.summary().silences.ordered, 1u);
  see(1, A, B);  // the same, while the other lives
  EXPECT_EQ(circles().size(), 1u);
}

TEST_F(OrderRulesTest, AfterTheOtherWasJoinedIsNoDanger) {
  see(2, B, A);
  orders_.add(LifeEvent{Kind::kJoined, 2, 1, ++moment_, 2});
  see(1, A, B);
  EXPECT_TRUE(circles().empty());
  see(3, A, B);
  EXPECT_EQ(circles().size(), 1u) << "the third did not wait for it";
}

TEST_F(OrderRulesTest, AJoinThatCameLateInAnotherQueueCounts) {
  see(2, B, A);
  moment_ = 200;
  see(1, A, B);
  EXPECT_TRUE(orders_.take_circles(150).empty());
  orders_.add(LifeEvent{Kind::kJoined, 2, 1, 160, 2});
  EXPECT_TRUE(circles().empty());
}

class AllOrdersTest : public OrderRulesTest {
 protected:
  AllOrdersTest() : OrderRulesTest({.all = true}) {}
};

TEST_F(AllOrdersTest, PhasesAreToldWithDoubt) {
  see(1, A, B);
  orders_.add(LifeEvent{Kind::kBorn, 7, 1, ++moment_, 7});
  see(7, B, A);
  auto found = circles();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].doubt, OrderDoubt::kPhases);
  see(2, A, B);
  found = circles();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].doubt, OrderDoubt::kNone);
}

}  // namespace
}  // namespace impasse
