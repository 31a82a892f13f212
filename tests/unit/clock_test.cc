#include "detector/clock.h"

#include <gtest/gtest.h>

namespace impasse {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

TEST(RunningClock, AddsUpWhatPassesBetweenTurns) {
  RunningClock clock;
  clock.advance(1'000 * kMs, 0);
  const std::uint64_t start = clock.units();
  for (int i = 1; i <= 100; ++i)
    clock.advance((1'000 + 60 * static_cast<std::uint64_t>(i)) * kMs, 60 * kMs);
  EXPECT_EQ(clock.units() - start, 6'000 * kMs / kTickNs);
}

TEST(RunningClock, NeverShowsZeroWhichMeansUnknown) {
  EXPECT_GT(RunningClock().units(), 0u);
}

TEST(RunningClock, DoesNotCountTimeInWhichItWasStopped) {
  RunningClock clock;
  clock.advance(1'000 * kMs, 0);
  const std::uint64_t start = clock.units();
  clock.advance((1'000 + 8 * 3600 * 1'000ull) * kMs, 60 * kMs);
  EXPECT_EQ(clock.units() - start, 60 * kMs / kTickNs);
}

TEST(RunningClock, CountsAMachineThatIsMerelyBusy) {
  RunningClock clock;
  clock.advance(1'000 * kMs, 0);
  const std::uint64_t start = clock.units();
  clock.advance(1'230 * kMs, 60 * kMs);
  EXPECT_EQ(clock.units() - start, 230 * kMs / kTickNs);
}

TEST(RunningClock, IsNotMovedByAClockThatGoesBack) {
  RunningClock clock;
  clock.advance(1'000 * kMs, 0);
  const std::uint64_t start = clock.units();
  clock.advance(400 * kMs, 60 * kMs);
  EXPECT_EQ(clock.units(), start);
}

}  // namespace
}  // namespace impasse
