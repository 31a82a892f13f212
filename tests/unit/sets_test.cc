#include <gtest/gtest.h>

#include <atomic>
#include <random>
#include <set>
#include <thread>
#include <vector>

#include "detector/levelled_set.h"

namespace impasse {
namespace {

constexpr unsigned kLevels = 3;

// Places, the count of levels in use, and the turn to grow, as a ledger would have them.
struct Ground {
  std::vector<std::atomic<std::uint64_t>> places =
      std::vector<std::atomic<std::uint64_t>>(LevelledSet::places(kLevels));
  std::atomic<std::uint64_t> in_use{0};
  std::atomic<std::uint64_t> busy{0};
  Growth growth{[](void*, std::size_t) { return true; }, &busy};
};

std::uint64_t hash_of(std::uint64_t n) {
  return n * 0x9e37'79b9'7f4a'7c15;
}

class LevelledSetTest : public ::testing::Test {
 protected:
  Ground ground_;
  LevelledSet set_{ground_.places.data(), &ground_.in_use, kLevels, ground_.growth};
  bool contains(std::uint64_t word) {
    return set_.visit(hash_of(word), [&](auto&, std::uint64_t seen) { return seen == word; });
  }
};

TEST_F(LevelledSetTest, AgreesWithAModel) {
  std::set<std::uint64_t> model;
  std::mt19937_64 random(5);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t word = 1 + random() % 30'000;
    EXPECT_EQ(contains(word), model.contains(word));
    if (model.contains(word)) continue;
    if (set_.insert(hash_of(word), word)) {
      model.insert(word);
    } else {
      EXPECT_GT(model.size(), LevelledSet::places(kLevels) / 3) << "full too early";
    }
  }
  for (std::uint64_t word = 1; word <= 30'000; ++word)
    EXPECT_EQ(contains(word), model.contains(word));
}

TEST_F(LevelledSetTest, StaysInSmallMemoryWhileSmall) {
  for (std::uint64_t word = 1; word <= 100; ++word) EXPECT_TRUE(set_.insert(hash_of(word), word));
  EXPECT_EQ(ground_.in_use.load(), 1u);
}

TEST_F(LevelledSetTest, ClearedPlacesServeAgain) {
  for (int round = 0; round < 200; ++round) {
    for (std::uint64_t word = 1; word <= 100; ++word) EXPECT_TRUE(set_.insert(hash_of(word), word));
    for (std::uint64_t word = 1; word <= 100; ++word) {
      EXPECT_TRUE(set_.visit(hash_of(word), [&](auto& place, std::uint64_t seen) {
        if (seen == word) place.store(0);
        return seen == word;
      }));
    }
  }
  EXPECT_EQ(ground_.in_use.load(), 1u);
}

TEST_F(LevelledSetTest, ManyThreadsInsertAtOnce) {
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t i = 0; i < 2'000; ++i) {
        const std::uint64_t word = 1 + i * 4 + t;
        EXPECT_TRUE(set_.insert(hash_of(word), word));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  for (std::uint64_t word = 1; word <= 8'000; ++word) EXPECT_TRUE(contains(word));
}

}  // namespace
}  // namespace impasse
