#include "detector/told_circles.h"

#include <gtest/gtest.h>

namespace impasse {
namespace {

using News = ToldCircles::News;

struct Part {
  std::uint64_t from;
  std::uint64_t to;
  std::uint64_t from_place;
  std::uint64_t to_place;
};

OrderCircle circle(std::initializer_list<Part> parts, OrderDoubt doubt = OrderDoubt::kNone) {
  OrderCircle circle;
  circle.doubt = doubt;
  for (const Part& part : parts) {
    OrderStep step;
    SightedLock held;
    held.life = {part.from, 0, 1};
    held.site = part.from_place / 100;  // a hundred places call each site
    held.place = part.from_place;
    step.sight.held.push_back(held);
    step.sight.wanted.life = {part.to, 0, 1};
    step.sight.wanted.site = part.to_place / 100;
    step.sight.wanted.place = part.to_place;
    circle.steps.push_back(step);
  }
  return circle;
}

TEST(ToldCircles, TheSameIsToldOnceWhereverItBegins) {
  ToldCircles told;
  EXPECT_EQ(told.judge(circle({{1, 2, 1000, 2000}, {2, 1, 3000, 4000}})), News::kYes);
  EXPECT_EQ(told.judge(circle({{1, 2, 1000, 2000}, {2, 1, 3000, 4000}})), News::kAlike);
  EXPECT_EQ(told.judge(circle({{2, 1, 3000, 4000}, {1, 2, 1000, 2000}})), News::kAlike);
}

TEST(ToldCircles, OtherObjectsAtTheSamePlacesAreAlike) {
  ToldCircles told;
  EXPECT_EQ(told.judge(circle({{1, 2, 1000, 2000}, {2, 1, 3000, 4000}})), News::kYes);
  EXPECT_EQ(told.judge(circle({{7, 8, 1000, 2000}, {8, 7, 3000, 4000}})), News::kAlike);
}

TEST(ToldCircles, TheSameLocksAtTheSameCallsAreAlikeWhoeverCallsThem) {
  ToldCircles told;
  EXPECT_EQ(told.judge(circle({{1, 2, 1000, 2000}, {2, 1, 3000, 4000}})), News::kYes);
  EXPECT_EQ(told.judge(circle({{1, 2, 1001, 2001}, {2, 1, 3001, 4001}})), News::kAlike);
  // Of other locks, by other callers of a function that wraps the call: another one.
  EXPECT_EQ(told.judge(circle({{7, 8, 1001, 2001}, {8, 7, 3001, 4001}})), News::kYes);
}

TEST(ToldCircles, WhatIsPutTogetherOfToldOrdersIsAlike) {
  ToldCircles told;
  EXPECT_EQ(told.judge(circle({{1, 2, 1000, 2000}, {2, 1, 3000, 4000}})), News::kYes);
  EXPECT_EQ(told.judge(circle({{2, 3, 5000, 6000}, {3, 2, 7000, 8000}})), News::kYes);
  EXPECT_EQ(told.judge(circle({{1, 2, 1000, 2000}, {2, 3, 5000, 6000}, {3, 1, 9000, 9100}})),
            News::kYes);
  EXPECT_EQ(told.judge(circle({{1, 2, 1000, 2000}, {2, 3, 5000, 6000}, {3, 2, 7000, 8000}})),
            News::kAlike);
}

TEST(ToldCircles, WithoutItsDoubtItIsNews) {
  ToldCircles told;
  const std::initializer_list<Part> parts = {{1, 2, 1000, 2000}, {2, 1, 3000, 4000}};
  EXPECT_EQ(told.judge(circle(parts, OrderDoubt::kPhases)), News::kYes);
  EXPECT_EQ(told.judge(circle(parts, OrderDoubt::kClass)), News::kAlike);
  EXPECT_EQ(told.judge(circle(parts)), News::kYes);
  EXPECT_EQ(told.judge(circle(parts)), News::kAlike);
  EXPECT_EQ(told.judge(circle(parts, OrderDoubt::kPhases)), News::kAlike);
}

TEST(ToldCircles, EachCallWithATimeLimitIsToldOnce) {
  const auto timed = [](std::initializer_list<Part> parts) {
    OrderCircle made = circle(parts, OrderDoubt::kTimed);
    made.steps.front().sight.wanted.timed = true;
    return made;
  };
  ToldCircles told;
  EXPECT_EQ(told.judge(timed({{1, 2, 1000, 2000}, {2, 1, 3000, 4000}})), News::kYes);
  EXPECT_EQ(told.judge(timed({{1, 3, 5000, 2000}, {3, 1, 6000, 7000}})), News::kAlike);
  EXPECT_EQ(told.judge(timed({{1, 2, 1000, 2100}, {2, 1, 3000, 4000}})), News::kYes);
  EXPECT_EQ(told.judge(circle({{1, 2, 1000, 2000}, {2, 1, 3000, 4000}})), News::kYes);
}

TEST(ToldCircles, IsBounded) {
  ToldCircles told;
  std::uint64_t n = 1;
  for (; n <= ToldCircles::kMost; ++n) {
    ASSERT_EQ(told.judge(circle({{n, n + 1, n * 1000, n * 1000 + 200}})), News::kYes);
  }
  EXPECT_EQ(told.judge(circle({{n, n + 1, n * 1000, n * 1000 + 200}})), News::kNoRoom);
}

}  // namespace
}  // namespace impasse
