// What OrderCircles finds in made-up programs, against all circles that there are, one by one.
#include "detector/order_circles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <vector>

#include "detector/orders.h"
#include "order_history.h"
#include "order_scene.h"

namespace impasse {
namespace {

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
  lives.add({LifeEvent::Kind::kBorn, 1, 0, 1, 1});
  constexpr std::uint64_t kLocks = 60;
  std::uint64_t moment = 1'000;
  for (ThreadNumber t = 2; t < 400; ++t) lives.add({LifeEvent::Kind::kBorn, t, 1, t, t});
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
