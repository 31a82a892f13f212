// What OrderClasses tells of made-up programs, against all circles of classes that there are, one
// by one.
#include "detector/order_classes.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <utility>

#include "detector/orders.h"
#include "naive_classes.h"
#include "order_history.h"
#include "order_scene.h"

namespace impasse {
namespace {

struct Tally {
  std::uint64_t found = 0;
  std::uint64_t silent = 0;
  std::uint64_t doubtful = 0;
  std::uint64_t long_ones = 0;
  std::uint64_t left_to_locks = 0;
  std::uint64_t within = 0;
  std::uint64_t within_silent = 0;
  std::uint64_t overfull = 0;
};

// One made-up program.
class ClassesModel {
 public:
  ClassesModel(std::uint64_t seed, bool all, Tally& tally)
      : random_(seed),
        history_(seed * 31 + 7),
        naive_(history_, all),
        classes_(lives_, all),
        tally_(tally),
        kinds_(1 + random_() % 4),
        locks_(3 + random_() % 9) {}

  void play();

 private:
  std::uint64_t any(std::uint64_t below) { return random_() % below; }
  SightedLock any_lock();
  OrderSight any_sight(ThreadNumber thread);
  void judge(const Seen& seen, const std::vector<OrderCircle>& found);
  void judge_between(const Seen& seen, std::size_t held, const OrderCircle* told);
  void judge_within(const Seen& seen, std::size_t held, const OrderCircle* told);
  bool kept_all() const;

  std::mt19937_64 random_;
  OrderHistory history_;
  NaiveClasses naive_;
  ThreadLives lives_;
  OrderClasses classes_;
  Tally& tally_;
  std::uint64_t kinds_;
  std::uint64_t locks_;
  std::map<std::pair<std::uint64_t, bool>, std::size_t> each_way_;  // by birth: orders within
};

// Locks are of a class by their number; the odd classes' are read-write locks.
SightedLock ClassesModel::any_lock() {
  const std::uint64_t number = any(locks_);
  const std::uint64_t kind = number % kinds_;
  const bool prefers = kind % 4 == 3;
  SightedLock lock = kind % 2 == 0 ? lock_of(number)
                     : any(2) == 0 ? reading(number, prefers)
                                   : writing(number, prefers);
  lock.birth = number == 7 ? 0 : 0x70'0000 + kind;
  lock.site = 0x80'0000 + any(4);
  return lock;
}

OrderSight ClassesModel::any_sight(ThreadNumber thread) {
  std::vector<SightedLock> held;
  const std::uint64_t depth = any(3) == 0 ? 2 + any(2) : 1;
  for (std::uint64_t i = 0; i < depth; ++i) held.push_back(any_lock());
  SightedLock wanted = any_lock();
  wanted.timed = any(6) == 0;
  wanted.tried = any(12) == 0;
  return sight_of(thread, history_.moment(), held, wanted);
}

void ClassesModel::play() {
  lives_.add(history_.first());
  const std::uint64_t births = 2 + any(5);
  for (std::uint64_t i = 0; i < births; ++i) lives_.add(history_.birth(history_.alive()));
  const std::uint64_t count = 5 + any(12);
  for (std::uint64_t i = 0; i < count; ++i) {
    if (any(4) == 0 && history_.alive_count() < 8) lives_.add(history_.happen());
    const ThreadNumber thread = history_.alive();
    const int point = history_.act(thread);
    const auto sight = as_evidence(any_sight(thread));
    if (!sight) continue;
    const Seen seen{*sight, point};
    naive_.seen.push_back(seen);
    for (std::size_t h = 0; h < sight->held.size(); ++h) {
      if (!NaiveClasses::is_within(*sight, h)) continue;
      ++each_way_[{sight->wanted.birth, NaiveClasses::upwards(*sight, h)}];
    }
    std::uint64_t allowance = Orders::kStepsATurn;
    std::vector<OrderCircle> found;
    classes_.add(*sight, allowance, found);
    judge(seen, found);
    if (::testing::Test::HasFatalFailure()) {
      ADD_FAILURE() << "sight " << i;
      return;
    }
  }
  ASSERT_TRUE(classes_.graph().consistent());
}

// Every circle that was told belongs to one order of the new sight, and to no other's.
void ClassesModel::judge(const Seen& seen, const std::vector<OrderCircle>& found) {
  const OrderSight& sight = seen.sight;
  std::size_t accounted = 0;
  std::vector<SightedLock> looked_at;
  for (std::size_t held = 0; held < sight.held.size(); ++held) {
    const SightedLock& from = sight.held[held];
    const bool within = akin(from, sight.wanted);
    // Of a class that leads to another there is one order, however many of it are held.
    const auto its = [&](const OrderCircle& circle) {
      const SightedLock& its_from = circle.steps[0].sight.held[circle.steps[0].held];
      return within ? its_from.life == from.life
                    : akin(its_from, from) && !akin(its_from, sight.wanted);
    };
    if (!within && std::any_of(looked_at.begin(), looked_at.end(),
                               [&](const SightedLock& known) { return akin(known, from); })) {
      continue;
    }
    looked_at.push_back(from);
    const auto told = std::find_if(found.begin(), found.end(), its);
    ASSERT_LE(std::count_if(found.begin(), found.end(), its), 1);
    const OrderCircle* const circle = told == found.end() ? nullptr : &*told;
    if (circle != nullptr) {
      ++accounted;
      ASSERT_EQ(circle->doubt, OrderDoubt::kClass);
      ASSERT_EQ(circle->steps[0].sight.moment, sight.moment);
    }
    if (within) {
      judge_within(seen, held, circle);
    } else {
      judge_between(seen, held, circle);
    }
    if (::testing::Test::HasFatalFailure()) return;
  }
  ASSERT_EQ(accounted, found.size());
}

void ClassesModel::judge_between(const Seen& seen, std::size_t held, const OrderCircle* told) {
  const SightedLock& from = seen.sight.held[held];
  const SightedLock& to = seen.sight.wanted;
  const auto best_of = [&](const Seen& one, NaiveClasses::Objects objects) {
    int best = NaiveClasses::kNoCircle;
    for (std::size_t k = 0; k < one.sight.held.size(); ++k) {
      if (akin(one.sight.held[k], from)) best = std::min(best, naive_.best(one, k, objects));
    }
    return best;
  };
  const int best = best_of(seen, NaiveClasses::Objects::kDifferent);
  int price = NaiveClasses::kNoCircle;
  if (told != nullptr) {
    const auto paid = naive_.price(*told);
    ASSERT_TRUE(paid) << "a circle that is none";
    price = *paid;
    ASSERT_GE(price, best) << "the model does not know of it";
    ++tally_.found;
    tally_.doubtful += price > 100 ? 1 : 0;
    tally_.long_ones += told->steps.size() > 2 ? 1 : 0;
  }
  if (price == best) {
    tally_.silent += told == nullptr ? 1 : 0;
    return;
  }
  if (!kept_all()) {
    ++tally_.overfull;
    return;
  }
  // Not evidence of anything new: an earlier sight of the same order served as well. Or it was the
  // very same objects, which is for the circles of locks to tell.
  int served = NaiveClasses::kNoCircle;
  int by_locks = NaiveClasses::kNoCircle;
  for (const Seen& other : naive_.seen) {
    if (!akin(other.sight.wanted, to)) continue;
    by_locks = std::min(by_locks, best_of(other, NaiveClasses::Objects::kTheSame));
    if (other.point == seen.point) continue;
    served = std::min(served, best_of(other, NaiveClasses::Objects::kDifferent));
  }
  if (told == nullptr && served <= best) return;
  ASSERT_LE(by_locks, best);
  ++tally_.left_to_locks;
}

// No order of the class graph had to let go of a sight.
bool ClassesModel::kept_all() const {
  const auto& edges = classes_.graph().net().edges;
  return std::all_of(edges.begin(), edges.end(), [](const OrderEdge& e) { return e.all_kept; });
}

void ClassesModel::judge_within(const Seen& seen, std::size_t held, const OrderCircle* told) {
  if (told != nullptr) {
    ASSERT_EQ(told->steps.size(), 2u);
    const auto other = naive_.find(told->steps[1]);
    ASSERT_TRUE(other);
    ASSERT_TRUE(naive_.contradict(seen, held, *other->seen, other->held)) << "no contradiction";
    ++tally_.within;
    return;
  }
  if (!naive_.contradicted(seen, held)) {
    tally_.within_silent += NaiveClasses::is_within(seen.sight, held) ? 1 : 0;
    return;
  }
  const bool up = NaiveClasses::upwards(seen.sight, held);
  const auto others = each_way_.find({seen.sight.wanted.birth, !up});
  ASSERT_NE(others, each_way_.end());
  ASSERT_GT(others->second, OrderClasses::kMostEachWay) << "a contradiction within a class missed";
  ++tally_.overfull;
}

TEST(OrderClasses, AgreeWithTheEnumerationOfAll) {
  Tally tally;
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    ClassesModel(seed, seed % 3 == 0, tally).play();
    if (HasFatalFailure()) return;
  }
  EXPECT_GT(tally.found, 10'000u);
  EXPECT_GT(tally.silent, 50'000u);
  EXPECT_GT(tally.doubtful, 2'000u);
  EXPECT_GT(tally.long_ones, 500u);
  EXPECT_GT(tally.within, 5'000u);
  EXPECT_GT(tally.within_silent, 20'000u);
  // What is excused must stay the exception.
  EXPECT_LT(tally.left_to_locks, tally.found / 20);
  EXPECT_LT(tally.overfull, tally.found / 100);
}

}  // namespace
}  // namespace impasse
