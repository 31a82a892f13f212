#include "detector/seen_set.h"

#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <random>
#include <set>
#include <thread>
#include <vector>

namespace impasse {
namespace {

constexpr unsigned kLevels = 3;
constexpr unsigned kEnough = SeenSet::kThreadsPerPath;

// Places, the count of levels in use, and the turn to grow, as a ledger would have them.
struct Ground {
  std::vector<std::atomic<std::uint64_t>> places =
      std::vector<std::atomic<std::uint64_t>>(LevelledSet::places(kLevels));
  std::atomic<std::uint64_t> in_use{0};
  std::atomic<std::uint64_t> busy{0};
  Growth growth{[](void*, std::size_t) { return true; }, &busy};
};

std::uint64_t path_of(std::uint64_t n) {
  return n * 0x9e37'79b9'7f4a'7c15;
}

// What the set is to say, told plainly.
class Model {
 public:
  bool contains(std::uint64_t path, ThreadNumber thread) const {
    const auto known = threads_.find(path);
    return known != threads_.end() &&
           (known->second.contains(thread) || known->second.size() >= kEnough);
  }
  bool told(std::uint64_t path, ThreadNumber thread) const {
    const auto known = threads_.find(path);
    return known != threads_.end() && known->second.contains(thread);
  }
  void add(std::uint64_t path, ThreadNumber thread) { threads_[path].insert(thread); }
  bool erase(std::uint64_t path, ThreadNumber thread) { return threads_[path].erase(thread) != 0; }

 private:
  std::map<std::uint64_t, std::set<ThreadNumber>> threads_;
};

// An add may fail for want of a turn while another thread makes the set grow.
bool add_in_the_end(SeenSet& set, std::uint64_t path, ThreadNumber thread) {
  for (int i = 0; i < 1'000; ++i) {
    if (set.add(path, thread)) return true;
    std::this_thread::yield();
  }
  return false;
}

class SeenSetTest : public ::testing::Test {
 protected:
  Ground ground_;
  SeenSet set_{ground_.places.data(), &ground_.in_use, kLevels, ground_.growth};
};

TEST_F(SeenSetTest, AThreadThatToldNeedNotTellAgain) {
  EXPECT_FALSE(set_.contains(path_of(1), 7));
  EXPECT_TRUE(set_.add(path_of(1), 7));
  EXPECT_TRUE(set_.contains(path_of(1), 7));
  EXPECT_FALSE(set_.contains(path_of(1), 8));
  EXPECT_FALSE(set_.contains(path_of(2), 7));
}

TEST_F(SeenSetTest, SoManyThreadsAreEnough) {
  for (ThreadNumber thread = 1; thread < kEnough; ++thread) {
    EXPECT_TRUE(set_.add(path_of(1), thread));
    EXPECT_TRUE(set_.add(path_of(1), thread));  // the same one again does not count twice
  }
  EXPECT_FALSE(set_.contains(path_of(1), 100));
  EXPECT_TRUE(set_.add(path_of(1), kEnough));
  EXPECT_TRUE(set_.contains(path_of(1), 100));
  EXPECT_FALSE(set_.contains(path_of(2), 100));
}

TEST_F(SeenSetTest, AThreadThatEndedMakesRoomForAnother) {
  for (ThreadNumber thread = 1; thread <= kEnough; ++thread) set_.add(path_of(1), thread);
  EXPECT_TRUE(set_.erase(path_of(1), 2));
  EXPECT_FALSE(set_.erase(path_of(1), 2));
  EXPECT_FALSE(set_.contains(path_of(1), 100));
  EXPECT_TRUE(set_.contains(path_of(1), 3));
  EXPECT_TRUE(set_.add(path_of(1), 100));
  EXPECT_TRUE(set_.contains(path_of(1), 101));
}

TEST_F(SeenSetTest, ErasedPlacesServeAgain) {
  for (ThreadNumber thread = 1; thread <= 60'000; ++thread) {
    ASSERT_TRUE(set_.add(path_of(1), thread));
    ASSERT_TRUE(set_.erase(path_of(1), thread));
  }
  EXPECT_EQ(ground_.in_use.load(), 1U);
}

// A place that became free before the one where a word stands must not take the word again.
TEST_F(SeenSetTest, AWordStandsOnce) {
  for (ThreadNumber thread = 1; thread <= kEnough; ++thread) set_.add(path_of(1), thread);
  set_.erase(path_of(1), 1);
  for (int i = 0; i < 3; ++i) set_.add(path_of(1), kEnough);
  EXPECT_TRUE(set_.erase(path_of(1), kEnough));
  EXPECT_FALSE(set_.contains(path_of(1), kEnough));
}

TEST_F(SeenSetTest, AgreesWithAModelAcrossItsGrowth) {
  Model model;
  std::mt19937_64 random(6);
  for (int i = 0; i < 60'000; ++i) {
    const std::uint64_t path = path_of(1 + random() % 4'000);
    const auto thread = static_cast<ThreadNumber>(1 + random() % 12);
    ASSERT_EQ(set_.contains(path, thread), model.contains(path, thread));
    ASSERT_TRUE(!set_.contains_at_once(path, thread) || model.told(path, thread));
    if (random() % 8 == 0) {
      ASSERT_EQ(set_.erase(path, thread), model.erase(path, thread));
    } else if (!model.contains(path, thread)) {
      ASSERT_TRUE(set_.add(path, thread));
      model.add(path, thread);
    }
  }
  EXPECT_EQ(ground_.in_use.load(), kLevels);
}

TEST_F(SeenSetTest, KnowsAtOnceWhatTheThreadTold) {
  EXPECT_FALSE(set_.contains_at_once(path_of(1), 7));
  set_.add(path_of(1), 7, 3);
  EXPECT_TRUE(set_.contains_at_once(path_of(1), 7, 3));
  EXPECT_FALSE(set_.contains_at_once(path_of(1), 7, 4));
  EXPECT_FALSE(set_.contains_at_once(path_of(1), 8, 3));
  EXPECT_FALSE(set_.contains_at_once(path_of(2), 7, 3));
  set_.add(path_of(1), 7, 4);
  EXPECT_FALSE(set_.contains_at_once(path_of(1), 7, 3));
  EXPECT_TRUE(set_.contains_at_once(path_of(1), 7, 4));
  set_.erase(path_of(1), 7);
  EXPECT_FALSE(set_.contains_at_once(path_of(1), 7, 4));
  set_.add(path_of(1), 7, 4);
  set_.begin_anew();
  EXPECT_FALSE(set_.contains_at_once(path_of(1), 7, 4));
}

// What others told does not count at once, however many they are.
TEST_F(SeenSetTest, KnowsAtOnceOnlyOfTheThreadItself) {
  for (ThreadNumber thread = 1; thread <= kEnough; ++thread) set_.add(path_of(1), thread);
  EXPECT_TRUE(set_.contains(path_of(1), 100));
  EXPECT_FALSE(set_.contains_at_once(path_of(1), 100));
}

// A quarter full is as full as one thread's paths make it before they are asked for in more places.
TEST_F(SeenSetTest, KnowsAlmostAllAtOnceWhileThereIsRoom) {
  constexpr std::size_t kPaths = LevelledSet::level_places(kLevels - 1) / 4;
  std::mt19937_64 random(8);
  std::vector<std::uint64_t> paths(kPaths);
  for (auto& path : paths) {
    path = random();
    ASSERT_TRUE(set_.add(path, 7));
  }
  std::size_t at_once = 0;
  for (const std::uint64_t path : paths) at_once += set_.contains_at_once(path, 7) ? 1 : 0;
  EXPECT_GT(at_once, kPaths * 95 / 100);
}

// Near the end of a table the places go on at its beginning.
TEST_F(SeenSetTest, PlacesGoOnAtTheBeginning) {
  constexpr std::size_t kPlacesInFirst = LevelledSet::level_places(0);
  for (std::uint64_t n = 1; n <= SeenSet::kPlaces; ++n) {
    const std::uint64_t path = (n * kPlacesInFirst - 1) << 35;
    ASSERT_TRUE(set_.add(path, 7));
  }
  EXPECT_EQ(ground_.in_use.load(), 1U);
  for (std::uint64_t n = 1; n <= SeenSet::kPlaces; ++n) {
    const std::uint64_t path = (n * kPlacesInFirst - 1) << 35;
    EXPECT_TRUE(set_.contains(path, 7));
    EXPECT_EQ(set_.contains_at_once(path, 7), n <= 2);
  }
  EXPECT_NE(ground_.places[0].load(), 0U);
}

TEST_F(SeenSetTest, SaysWhenItIsFull) {
  std::uint64_t added = 0;
  while (added < LevelledSet::places(kLevels) && set_.add(path_of(added + 1), 1)) ++added;
  EXPECT_GT(added, LevelledSet::level_places(kLevels - 1) / 4);
  EXPECT_LT(added, LevelledSet::places(kLevels));
  EXPECT_TRUE(set_.contains(path_of(1), 1));
  EXPECT_TRUE(set_.add(path_of(1), 1));  // what is in it can be added again
}

// Its words stand together: that must not fill a line before the set is.
TEST_F(SeenSetTest, ManyThreadsOnEachPathFillItWell) {
  std::uint64_t added = 0;
  while (added < LevelledSet::places(kLevels) &&
         set_.add(path_of(added / kEnough + 1), 1 + static_cast<ThreadNumber>(added % kEnough))) {
    ++added;
  }
  EXPECT_GT(added, LevelledSet::level_places(kLevels - 1) / 4);
}

TEST_F(SeenSetTest, AThreadInItsNextPhaseTellsAgainOnce) {
  EXPECT_TRUE(set_.add(path_of(1), 7, 0));
  EXPECT_FALSE(set_.contains(path_of(1), 7, 1));
  EXPECT_TRUE(set_.add(path_of(1), 7, 1));
  EXPECT_TRUE(set_.contains(path_of(1), 7, 1));
  EXPECT_FALSE(set_.contains(path_of(1), 7, 2));
  EXPECT_TRUE(set_.erase(path_of(1), 7));
  EXPECT_FALSE(set_.contains(path_of(1), 7, 1));
  EXPECT_FALSE(set_.contains(path_of(1), 7, 0));
}

TEST_F(SeenSetTest, AThreadOfManyPhasesIsOneThread) {
  for (unsigned phase = 0; phase < SeenSet::kPhases; ++phase) {
    EXPECT_FALSE(set_.contains(path_of(1), 7, phase));
    EXPECT_TRUE(set_.add(path_of(1), 7, phase));
  }
  for (ThreadNumber thread = 100; thread + 1 < 100 + kEnough; ++thread) {
    EXPECT_FALSE(set_.contains(path_of(1), thread));
    EXPECT_TRUE(set_.add(path_of(1), thread));
  }
  EXPECT_TRUE(set_.contains(path_of(1), 200));
  // Enough of others have told; but what this one told is of an earlier phase.
  EXPECT_FALSE(set_.contains(path_of(1), 7, SeenSet::kPhases));
}

TEST_F(SeenSetTest, BegunAnewItTakesAsMuchAgain) {
  std::uint64_t first = 0;
  while (set_.add(path_of(++first), 1)) ASSERT_FALSE(set_.full());
  EXPECT_TRUE(set_.full());
  EXPECT_TRUE(set_.contains(path_of(1), 1));
  ASSERT_TRUE(set_.begin_anew());
  EXPECT_FALSE(set_.full());
  EXPECT_EQ(ground_.in_use.load(), 1U);
  for (std::uint64_t n = 1; n <= first; ++n) ASSERT_FALSE(set_.contains(path_of(n), 1));
  for (std::uint64_t n = 1; n < first; ++n) ASSERT_TRUE(set_.add(path_of(n), 1));
  for (std::uint64_t n = 1; n < first; ++n) ASSERT_TRUE(set_.contains(path_of(n), 1));
}

// Threads tell as if locks were made all the time; the watchdog begins the set anew when it is
// full.
TEST_F(SeenSetTest, BegunAnewWhileThreadsTell) {
  constexpr std::uint64_t kPaths = 60'000;
  std::atomic<unsigned> working{3};
  std::vector<std::thread> threads;
  for (ThreadNumber t = 1; t <= 3; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t n = 1; n <= kPaths; ++n) {
        const std::uint64_t path = path_of(n * 4 + t);
        while (!set_.add(path, t)) std::this_thread::yield();
      }
      --working;
    });
  }
  unsigned begun = 0;
  while (working != 0) {
    if (set_.full() && set_.begin_anew()) ++begun;
    std::this_thread::yield();
  }
  for (auto& thread : threads) thread.join();
  EXPECT_GE(begun, 3 * kPaths / LevelledSet::places(kLevels));
}

TEST_F(SeenSetTest, ManyThreadsAskAndAddAtOnce) {
  std::vector<std::thread> threads;
  for (ThreadNumber t = 1; t <= kEnough; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t n = 1; n <= 2'000; ++n) {
        if (set_.contains(path_of(n), t)) continue;
        EXPECT_TRUE(add_in_the_end(set_, path_of(n), t));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  // What was added while the set grew may have to be added once more.
  for (std::uint64_t n = 1; n <= 2'000; ++n) {
    for (ThreadNumber t = 1; t <= kEnough; ++t) EXPECT_TRUE(set_.add(path_of(n), t));
    EXPECT_TRUE(set_.contains(path_of(n), 100));
    EXPECT_FALSE(set_.contains(path_of(n + 10'000), 1));
  }
}

// Threads come and go; one takes out the words of those that went, as the watchdog does.
TEST_F(SeenSetTest, WordsAreErasedWhileOthersAreAdded) {
  constexpr std::uint64_t kPaths = 40;
  constexpr ThreadNumber kRounds = 300;
  std::vector<std::thread> threads;
  for (ThreadNumber t = 1; t <= 4; ++t) {
    threads.emplace_back([&, t] {
      for (ThreadNumber round = 0; round < kRounds; ++round) {
        const ThreadNumber mine = 4 * round + t;
        for (std::uint64_t n = 1; n <= kPaths; ++n) {
          EXPECT_TRUE(add_in_the_end(set_, path_of(n), mine));
          EXPECT_TRUE(set_.contains(path_of(n), mine));
        }
        // The growth of the set may bring a word back that was taken out meanwhile; here it is
        // small and stays as it is.
        for (std::uint64_t n = 1; n <= kPaths; ++n) EXPECT_TRUE(set_.erase(path_of(n), mine));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (std::uint64_t n = 1; n <= kPaths; ++n) EXPECT_FALSE(set_.contains(path_of(n), 1));
}

}  // namespace
}  // namespace impasse
