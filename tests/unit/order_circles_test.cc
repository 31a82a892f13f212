#include "detector/order_circles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "detector/orders.h"
#include "order_history.h"
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

// ---------------------------------------------------------------------------------------------
// Against all circles that there are, one by one.

struct Seen {
  OrderSight sight;
  int point = 0;
};

class NaiveCircles {
 public:
  explicit NaiveCircles(const OrderHistory& history) : history_(history) {}
  std::vector<Seen> sights;

  static constexpr int kNoCircle = 1'000'000;

  // The lowest of (doubt, length) as one number, with this sight holding that lock; length < 100.
  int best(const Seen& first, std::size_t held, bool all) const {
    int found = kNoCircle;
    std::vector<const Seen*> path{&first};
    const LockLife start = first.sight.held[held].life;
    if (start == first.sight.wanted.life) {
      return (first.sight.wanted.timed ? 100 : 0) + 1;
    }
    extend(path, first.sight.held[held], start, first.sight.wanted.timed, false, all, found);
    return found;
  }

 private:
  static bool conflict(const SightedLock& a, const SightedLock& b) {
    return !a.shared || !b.shared || a.prefers_writers || b.prefers_writers;
  }
  static bool gate(const OrderSight& a, const OrderSight& b) {
    for (const auto& x : a.held) {
      for (const auto& y : b.held) {
        if (x.life == y.life && x.life != a.wanted.life && y.life != b.wanted.life &&
            !(x.shared && y.shared)) {
          return true;
        }
      }
    }
    return false;
  }
  void extend(std::vector<const Seen*>& path, const SightedLock& first_held, const LockLife& start,
              bool timed, bool phases, bool all, int& found) const {
    const Seen& last = *path.back();
    for (const Seen& next : sights) {
      for (const SightedLock& held : next.sight.held) {
        if (held.life != last.sight.wanted.life || !conflict(held, last.sight.wanted)) continue;
        if (next.sight.wanted.life == held.life) continue;
        bool possible = true;
        bool now_phases = phases;
        for (const Seen* other : path) {
          possible = possible && other->sight.thread != next.sight.thread &&
                     !gate(other->sight, next.sight);
          now_phases = now_phases || history_.before(other->point, next.point) ||
                       history_.before(next.point, other->point);
        }
        if (!possible || (now_phases && !all)) continue;
        const bool now_timed = timed || next.sight.wanted.timed;
        const int doubt = now_phases ? (now_timed ? 300 : 200) : now_timed ? 100 : 0;
        path.push_back(&next);
        if (next.sight.wanted.life == start) {
          if (conflict(first_held, next.sight.wanted)) {
            found = std::min(found, doubt + static_cast<int>(path.size()));
          }
        } else {
          extend(path, first_held, start, now_timed, now_phases, all, found);
        }
        path.pop_back();
      }
    }
  }

  const OrderHistory& history_;
};

// Whatever a circle claims must be so, sight by sight.
void expect_feasible(const OrderCircle& circle, const NaiveCircles& naive) {
  std::set<ThreadNumber> threads;
  for (std::size_t i = 0; i < circle.steps.size(); ++i) {
    const OrderStep& step = circle.steps[i];
    const OrderStep& next = circle.steps[(i + 1) % circle.steps.size()];
    EXPECT_EQ(step.to, next.from);
    EXPECT_EQ(step.sight.wanted.life, step.to);
    EXPECT_EQ(step.sight.held[step.held].life, step.from);
    EXPECT_TRUE(threads.insert(step.sight.thread).second);
    EXPECT_TRUE(std::any_of(naive.sights.begin(), naive.sights.end(), [&](const Seen& seen) {
      return seen.sight.moment == step.sight.moment && seen.sight.held == step.sight.held;
    }));
  }
}

int price(const OrderCircle& circle) {
  bool timed = false;
  for (const OrderStep& step : circle.steps) timed = timed || step.sight.wanted.timed;
  const int doubt = circle.doubt == OrderDoubt::kPhases ? (timed ? 300 : 200) : timed ? 100 : 0;
  return doubt + static_cast<int>(circle.steps.size());
}

struct Tally {
  std::uint64_t found = 0;
  std::uint64_t silent = 0;
  std::uint64_t doubtful = 0;
  std::uint64_t long_ones = 0;
};

SightedLock random_lock(std::mt19937_64& random, std::uint64_t locks) {
  const std::uint64_t number = random() % locks;
  if (number % 2 == 0) return lock_of(number);  // a mutex
  const bool prefers = number % 4 == 3;
  return random() % 2 == 0 ? reading(number, prefers) : writing(number, prefers);
}

void play(std::uint64_t seed, bool all, Tally& tally) {
  std::mt19937_64 random(seed);
  OrderHistory history(seed * 31 + 7);
  ThreadLives lives;
  OrderGraph graph(lives, OrderLevel::kLocks);
  OrderCircles circles(graph, all);
  NaiveCircles naive(history);
  lives.add(history.first());
  const std::uint64_t births = 2 + random() % 5;
  for (std::uint64_t i = 0; i < births; ++i) lives.add(history.birth(history.alive()));
  const std::uint64_t locks = 3 + random() % 5;
  const std::uint64_t count = 6 + random() % 14;
  for (std::uint64_t i = 0; i < count; ++i) {
    if (random() % 4 == 0 && history.alive_count() < 8) lives.add(history.happen());
    const ThreadNumber thread = history.alive();
    std::vector<SightedLock> held;
    const std::uint64_t depth = random() % 3 == 0 ? 2 + random() % 2 : 1;
    for (std::uint64_t k = 0; k < depth; ++k) {
      const SightedLock lock = random_lock(random, locks);
      const bool known =
          std::any_of(held.begin(), held.end(), [&](const auto& h) { return h.life == lock.life; });
      if (!known) held.push_back(lock);
    }
    SightedLock wanted = random_lock(random, locks);
    wanted.timed = random() % 6 == 0;
    wanted.tried = random() % 12 == 0;
    const int point = history.act(thread);
    const auto sight = as_evidence(sight_of(thread, history.moment(), held, wanted));
    if (!sight) {
      const bool again = std::any_of(held.begin(), held.end(), [&](const auto& h) {
        return h.life == wanted.life && (!h.shared || !wanted.shared || !h.prefers_writers);
      });
      ASSERT_TRUE(wanted.tried || again);
      continue;
    }
    const auto fresh = graph.add(*sight);
    const Seen seen{*sight, point};
    for (std::uint32_t h = 0; h < sight->held.size(); ++h) {
      naive.sights.push_back(seen);
      const int best = naive.best(seen, h, all);
      naive.sights.pop_back();
      const auto its = std::find_if(fresh.begin(), fresh.end(),
                                    [&](const auto& f) { return f.evidence.held == h; });
      if (its == fresh.end()) {
        if (best == NaiveCircles::kNoCircle) {
          ++tally.silent;
          continue;
        }
        // Not taken: then an earlier sight of the same order must serve as well.
        int served = NaiveCircles::kNoCircle;
        for (const Seen& other : naive.sights) {
          for (std::size_t k = 0; k < other.sight.held.size(); ++k) {
            if (other.sight.wanted.life == sight->wanted.life &&
                other.sight.held[k].life == sight->held[h].life) {
              served = std::min(served, naive.best(other, k, all));
            }
          }
        }
        ASSERT_LE(served, best) << "seed " << seed << " sight " << i;
        continue;
      }
      std::uint64_t allowance = Orders::kStepsATurn;
      const auto circle = circles.through(*its, allowance);
      naive.sights.push_back(seen);
      if (circle) expect_feasible(*circle, naive);
      naive.sights.pop_back();
      ASSERT_EQ(circle ? price(*circle) : NaiveCircles::kNoCircle, best)
          << "seed " << seed << " sight " << i;
      if (!circle) {
        ++tally.silent;
      } else {
        ++tally.found;
        tally.doubtful += circle->doubt != OrderDoubt::kNone ? 1 : 0;
        tally.long_ones += circle->steps.size() > 2 ? 1 : 0;
      }
    }
    naive.sights.push_back(seen);
  }
  ASSERT_TRUE(graph.consistent());
}

TEST(OrderCircles, AgreeWithTheEnumerationOfAll) {
  Tally tally;
  for (std::uint64_t seed = 1; seed <= 6'000; ++seed) {
    play(seed, seed % 3 == 0, tally);
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(tally.found, 10'000u);
  EXPECT_GT(tally.silent, 10'000u);
  EXPECT_GT(tally.doubtful, 500u);
  EXPECT_GT(tally.long_ones, 500u);
  RecordProperty("found", static_cast<int>(tally.found));
}

// Everybody reads in circles: nothing to tell, and it must not take for ever to see that.
TEST(OrderCircles, ASearchEndsWhenItsStepsDo) {
  ThreadLives lives;
  OrderGraph graph(lives, OrderLevel::kLocks);
  OrderCircles circles(graph, false);
  lives.add({Kind::kBorn, 1, 0, 1, 1});
  constexpr std::uint64_t kLocks = 60;
  std::uint64_t moment = 1'000;
  for (ThreadNumber t = 2; t < 400; ++t) lives.add({Kind::kBorn, t, 1, t, t});
  std::mt19937_64 random(4);
  for (ThreadNumber t = 2; t < 400; ++t) {
    for (int i = 0; i < 4; ++i) {
      const std::uint64_t from = random() % kLocks;
      const std::uint64_t to = (from + 1 + random() % (kLocks - 1)) % kLocks;
      if (to == 0) continue;
      graph.add(sight_of(t, ++moment, {writing(from)}, writing(to)));
    }
  }
  graph.add(sight_of(2, ++moment, {writing(5)}, reading(0)));
  const auto fresh = graph.add(sight_of(1, ++moment, {reading(0)}, writing(7)));
  ASSERT_EQ(fresh.size(), 1u);
  std::uint64_t allowance = 50'000;
  EXPECT_FALSE(circles.through(fresh[0], allowance));
  EXPECT_EQ(allowance, 0u);
  EXPECT_EQ(circles.silences().out_of_steps, 1u);
}

}  // namespace
}  // namespace impasse
