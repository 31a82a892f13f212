#include "detector/order_graph.h"

#include <gtest/gtest.h>
#include <malloc.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <random>
#include <set>

#include "order_scene.h"

namespace impasse {
namespace {

using Kind = LifeEvent::Kind;

class OrderGraphTest : public ::testing::Test {
 protected:
  OrderGraphTest() {
    lives_.add({Kind::kBorn, 1, 0, 1, 1});
    for (ThreadNumber t = 2; t <= 40; ++t) lives_.add({Kind::kBorn, t, 1, t, t});
  }
  void see(ThreadNumber thread, std::uint64_t from, std::uint64_t to) {
    graph_.add(sight_of(thread, ++moment_, {lock_of(from)}, lock_of(to)));
  }
  void see(ThreadNumber thread, std::vector<SightedLock> held, std::uint64_t to) {
    graph_.add(sight_of(thread, ++moment_, std::move(held), lock_of(to)));
  }
  std::vector<ThreadNumber> kept_threads() const {
    std::vector<ThreadNumber> threads;
    const OrderEdge& edge = graph_.net().edges[0];
    for (std::uint32_t i = 0; i < edge.kept_count; ++i) {
      threads.push_back(graph_.sights()[edge.kept[i].sight].thread);
    }
    std::sort(threads.begin(), threads.end());
    return threads;
  }

  ThreadLives lives_;
  OrderGraph graph_{lives_, OrderLevel::kLocks};
  std::uint64_t moment_ = 1'000;
};

// The edges alone; who can reach whom by walking.
struct NaiveGraph {
  std::map<std::uint64_t, std::set<std::uint64_t>> out;

  std::set<std::uint64_t> reach(std::uint64_t from) const {
    std::set<std::uint64_t> found;
    std::vector<std::uint64_t> todo{from};
    while (!todo.empty()) {
      const auto at = out.find(todo.back());
      todo.pop_back();
      if (at == out.end()) continue;
      for (const std::uint64_t next : at->second) {
        if (found.insert(next).second) todo.push_back(next);
      }
    }
    return found;
  }
  void remove(std::uint64_t lock) {
    out.erase(lock);
    for (auto& [from, to] : out) to.erase(lock);
  }
  std::size_t edges() const {
    std::size_t n = 0;
    for (const auto& [from, to] : out) n += to.size();
    return n;
  }
};

TEST_F(OrderGraphTest, ComponentsAgreeWithAModel) {
  std::uint64_t cyclic = 0;
  std::uint64_t acyclic = 0;
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    std::mt19937_64 random(seed);
    OrderGraph graph(lives_, OrderLevel::kLocks);
    NaiveGraph naive;
    const std::uint64_t locks = 5 + random() % 40;
    const auto number_of = [](const LockLife& life) { return life.record; };
    for (int i = 0; i < 120; ++i) {
      const std::uint64_t from = random() % locks;
      const std::uint64_t to = random() % locks;
      if (random() % 12 == 0) {
        graph.end(life_of(from));
        naive.remove(from);
      } else if (random() % 40 == 0) {
        graph.compact();
      } else if (from != to) {
        graph.add(sight_of(1, ++moment_, {lock_of(from)}, lock_of(to)));
        naive.out[from].insert(to);
      }
    }
    ASSERT_TRUE(graph.consistent());
    ASSERT_EQ(graph.edges(), naive.edges());
    for (const bool exact : {false, true}) {
      if (exact) graph.compact();
      ASSERT_TRUE(graph.consistent());
      const OrderNet& net = graph.net();
      for (std::uint32_t a = 0; a < net.nodes.size(); ++a) {
        if (!net.nodes[a].used) continue;
        const auto from_a = naive.reach(number_of(net.nodes[a].life));
        for (std::uint32_t b = 0; b < net.nodes.size(); ++b) {
          if (!net.nodes[b].used || a == b) continue;
          const bool circle =
              from_a.contains(number_of(net.nodes[b].life)) &&
              naive.reach(number_of(net.nodes[b].life)).contains(number_of(net.nodes[a].life));
          const bool together = graph.together(a, b);
          ASSERT_TRUE(together || !circle) << "seed " << seed;
          ASSERT_TRUE(circle || !together || !exact) << "seed " << seed;
          (circle ? cyclic : acyclic) += 1;
        }
      }
    }
  }
  EXPECT_GT(cyclic, 1'000u);
  EXPECT_GT(acyclic, 1'000u);
}

TEST_F(OrderGraphTest, TheSameSeenAgainIsOnlyCounted) {
  for (int i = 0; i < 10; ++i) see(2, 1, 2);
  const OrderEdge& edge = graph_.net().edges[0];
  EXPECT_EQ(edge.kept_count, 1u);
  EXPECT_EQ(edge.seen, 10u);
  EXPECT_EQ(edge.threads, 1u);
  EXPECT_LT(edge.first_ns, edge.last_ns);
  EXPECT_EQ(graph_.sights().size(), 1u);
}

TEST_F(OrderGraphTest, OneSightIsKeptOnceForAllItsOrders) {
  see(2, {lock_of(1), lock_of(2), lock_of(3)}, 4);
  EXPECT_EQ(graph_.edges(), 3u);
  EXPECT_EQ(graph_.sights().size(), 1u);
  graph_.end(life_of(1));
  EXPECT_EQ(graph_.edges(), 2u);
  EXPECT_EQ(graph_.sights().size(), 1u);
  graph_.end(life_of(4));
  EXPECT_EQ(graph_.edges(), 0u);
  EXPECT_EQ(graph_.sights().size(), 0u);
}

TEST_F(OrderGraphTest, FewerGatesReplaceMore) {
  see(2, {lock_of(1), lock_of(8), lock_of(9)}, 2);
  see(2, {lock_of(1), lock_of(8)}, 2);
  EXPECT_EQ(graph_.net().edges[0].kept_count, 1u);
  see(2, {lock_of(1), lock_of(7)}, 2);
  EXPECT_EQ(graph_.net().edges[0].kept_count, 2u) << "another gate is another chance";
  see(2, {lock_of(1)}, 2);
  ASSERT_EQ(graph_.net().edges[0].kept_count, 1u);
  EXPECT_EQ(graph_.sights()[graph_.net().edges[0].kept[0].sight].held.size(), 1u);
}

TEST_F(OrderGraphTest, DifferentThreadsArePreferred) {
  for (std::uint64_t gate = 10; gate < 18; ++gate) see(2, {lock_of(1), lock_of(gate)}, 2);
  EXPECT_EQ(kept_threads(), std::vector<ThreadNumber>(8, 2));
  for (ThreadNumber t = 3; t <= 9; ++t) see(t, 1, 2);
  EXPECT_EQ(kept_threads(), (std::vector<ThreadNumber>{2, 3, 4, 5, 6, 7, 8, 9}));
  for (ThreadNumber t = 10; t <= 30; ++t) see(t, 1, 2);
  EXPECT_EQ(graph_.net().edges[0].threads, 29u);
}

TEST_F(OrderGraphTest, TheEndedMakeRoom) {
  for (ThreadNumber t = 2; t <= 9; ++t) see(t, 1, 2);
  see(10, 1, 2);
  EXPECT_EQ(kept_threads(), (std::vector<ThreadNumber>{2, 3, 4, 5, 6, 7, 8, 9}));
  lives_.add({Kind::kEnded, 5, 0, ++moment_, 0});
  see(11, 1, 2);
  EXPECT_EQ(kept_threads(), (std::vector<ThreadNumber>{2, 3, 4, 6, 7, 8, 9, 11}));
}

TEST_F(OrderGraphTest, MoreOrdersThanFitAreCounted) {
  OrderGraph graph(lives_, OrderLevel::kLocks, 10);
  for (std::uint64_t i = 0; i < 15; ++i) {
    graph.add(sight_of(1, ++moment_, {lock_of(2 * i)}, lock_of(2 * i + 1)));
  }
  EXPECT_EQ(graph.edges(), 10u);
  EXPECT_EQ(graph.nodes(), 20u);
  EXPECT_EQ(graph.refused(), 5u);
}

// What is in use of the heap; 0 where that is not told (sanitizers).
std::size_t heap_bytes() {
  const auto info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::uint64_t kScale = 20;
#else
constexpr std::uint64_t kScale = 1;
#endif

// A million locks come and go, 200,000 orders between them at a time, in one order that all keep.
TEST_F(OrderGraphTest, AMillionLocksInConstantMemory) {
  constexpr std::uint64_t kLocks = 1'000'000 / kScale;
  constexpr std::uint64_t kAlive = 100'000 / kScale;
  constexpr std::uint64_t kEdges = 200'000 / kScale;
  const std::size_t before = heap_bytes();
  std::mt19937_64 random(1);
  std::uint64_t first = 0;  // alive are first..first + kAlive
  const auto is_alive = [&](const LockLife& life) { return life.record >= first; };
  const auto add_some = [&](std::uint64_t many) {
    for (std::uint64_t i = 0; i < many; ++i) {
      const std::uint64_t from = first + random() % kAlive;
      // Objects have few locks of their own each.
      const std::uint64_t to = from - from % 20 + 20 + random() % 20;
      if ((from / 20) % 2 != 0) continue;
      see(static_cast<ThreadNumber>(2 + random() % 30), from, to);
    }
  };
  const auto clock = [] { return std::chrono::steady_clock::now(); };
  const auto us = [](auto time) {
    return static_cast<int>(std::chrono::duration_cast<std::chrono::microseconds>(time).count());
  };
  const auto start = clock();
  while (graph_.edges() < kEdges) add_some(1'000);
  const auto filled = clock();
  const std::size_t full = heap_bytes();
  std::size_t most = full;
  while (first + kAlive < kLocks) {
    first += kAlive / 2;
    graph_.sweep(is_alive, graph_.net().nodes.size());
    while (graph_.edges() < kEdges) add_some(1'000);
    most = std::max(most, heap_bytes());
  }
  const auto turned_over = clock();
  EXPECT_TRUE(graph_.consistent());
  EXPECT_GT(graph_.compactions() + graph_.edges(), kEdges - 1);
  first = kLocks * 2;
  graph_.sweep(is_alive, graph_.net().nodes.size());
  EXPECT_EQ(graph_.nodes(), 0u);
  EXPECT_EQ(graph_.sights().size(), 0u);
  const std::size_t after = heap_bytes();
  if (full > before) {
    RecordProperty("full_bytes", static_cast<int>(full - before));
    RecordProperty("most_bytes", static_cast<int>(most - before));
    RecordProperty("after_bytes", static_cast<int>(after - std::min(after, before)));
    EXPECT_LT(most - before, 2 * (full - before));
    EXPECT_LT(after, before + (full - before) / 20);
  }
  RecordProperty("fill_us", us(filled - start));
  RecordProperty("turnover_us", us(turned_over - filled));
}

// Orders that come at random, all along one hidden order.
TEST_F(OrderGraphTest, ADenseGraphWithoutCirclesStaysFast) {
  constexpr std::uint64_t kLocks = 10'000;
  const auto start = std::chrono::steady_clock::now();
  std::mt19937_64 random(2);
  for (std::uint64_t i = 0; i < 200'000 / kScale; ++i) {
    const std::uint64_t a = random() % kLocks;
    const std::uint64_t b = random() % kLocks;
    if (a != b) see(2, std::min(a, b), std::max(a, b));
  }
  const auto took = std::chrono::steady_clock::now() - start;
  EXPECT_TRUE(graph_.consistent());
  RecordProperty(
      "dense_ms",
      static_cast<int>(std::chrono::duration_cast<std::chrono::milliseconds>(took).count()));
}

// One lock above all others, as many programs have; they end in their thousands.
TEST_F(OrderGraphTest, AHubIsLeftQuickly) {
  constexpr std::uint64_t kLocks = 100'000 / kScale;
  for (std::uint64_t i = 1; i <= kLocks; ++i) see(2, 0, i);
  for (std::uint64_t i = 1; i <= kLocks; ++i) graph_.end(life_of(i));
  EXPECT_EQ(graph_.edges(), 0u);
  EXPECT_EQ(graph_.nodes(), 1u);
}

}  // namespace
}  // namespace impasse
