// The lock-order graph: an order A -> B for "B was wanted while A was held", each with the sights
// that show it.
//
// Promises: bounded: kSightsPerOrder sights an order, `most_edges` orders; what did not fit is
// counted. Of an order's sights those are kept that close the most circles: of different threads,
// then with different held locks, then in different phases; rather with fewer held locks; rather of
// threads that still live. Ended locks give all their memory back. Used by one thread.
//
// Costs: an order that is known a look-up for each held lock; a new one next to nothing unless it
// runs against the order so far (dynamic_order.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "detector/dynamic_order.h"
#include "detector/number_table.h"
#include "detector/order_net.h"
#include "detector/order_rules.h"
#include "detector/sight_store.h"

namespace impasse {

class OrderGraph {
 public:
  static constexpr std::size_t kMostEdges = 400'000;

  // A sight that an order took as new evidence.
  struct Fresh {
    std::uint32_t edge = kNowhere;
    OrderEvidence evidence;
  };

  OrderGraph(ThreadLives& lives, OrderLevel level, std::size_t most_edges = kMostEdges)
      : lives_(lives), rules_(lives, level), store_(lives), order_(net_), most_edges_(most_edges) {}
  OrderGraph(const OrderGraph&) = delete;
  OrderGraph& operator=(const OrderGraph&) = delete;

  // As as_evidence() made it. What it newly shows, of orders that may lie on a circle; valid until
  // the next call.
  const std::vector<Fresh>& add(OrderSight sight);

  void end(const LockLife& life);
  // Asks of the next `how_many` places, all round: bool is_alive(const LockLife&).
  template <class IsAlive>
  void sweep(IsAlive is_alive, std::size_t how_many);
  // Memory back, numbers anew; components found anew.
  void compact();

  // Whether both lie on one circle, perhaps.
  bool together(std::uint32_t a, std::uint32_t b) const { return order_.together(a, b); }
  const OrderNet& net() const { return net_; }
  const SightStore& sights() const { return store_; }
  SightStore& sights() { return store_; }
  const OrderRules& rules() const { return rules_; }
  std::size_t nodes() const { return by_life_.size(); }
  std::size_t places() const { return net_.nodes.size(); }  // of nodes, used or not
  std::size_t edges() const { return by_ends_.size(); }
  std::uint64_t refused() const { return refused_; }
  std::uint64_t compactions() const { return compactions_; }
  // Every edge leads upwards or stays within its component, and all lists agree (for tests).
  bool consistent() const;

  // All orders, for an export: void visit(const LockLife& from, const LockLife& to,
  // const OrderEdge&).
  template <class Visit>
  void for_each_edge(Visit visit) const {
    for (const OrderEdge& edge : net_.edges) {
      if (edge.from == kNowhere) continue;
      visit(net_.nodes[edge.from].life, net_.nodes[edge.to].life, edge);
    }
  }

 private:
  std::uint32_t node_of_life(const LockLife& life) const;
  // For the tables.
  auto life_hash() const {
    return [this](std::uint32_t node) { return LockLifeHash()(net_.nodes[node].life); };
  }
  auto ends_hash() const {
    return [this](std::uint32_t edge) {
      return hash_of_ends(net_.edges[edge].from, net_.edges[edge].to);
    };
  }
  static std::uint64_t hash_of_ends(std::uint32_t from, std::uint32_t to) {
    const std::uint64_t h = (std::uint64_t{from} << 32 | to) * 0x9e37'79b9'7f4a'7c15;
    return (h ^ h >> 32) * 0xbf58'476d'1ce4'e5b9 >> 16;
  }
  std::uint32_t edge_between(const LockLife& from, const LockLife& to);
  std::uint32_t new_node(const LockLife& life, bool last);
  std::uint32_t new_edge(std::uint32_t from, std::uint32_t to);
  void count(OrderEdge& edge, const OrderSight& sight) const;
  bool keep(OrderEdge& edge, OrderEvidence evidence);
  std::uint32_t victim(const OrderEdge& edge, const OrderSight& sight) const;
  void remove_kept(OrderEdge& edge, std::uint32_t place);
  void remove_edge(std::uint32_t edge);
  void remove_node(std::uint32_t node);
  void compact_if_worth_it();
  bool self_loop_counts() const { return rules_.level() == OrderLevel::kLocks; }

  ThreadLives& lives_;
  OrderRules rules_;
  OrderNet net_;
  SightStore store_;
  DynamicOrder order_;
  std::size_t most_edges_;
  NumberTable by_life_;  // nodes
  NumberTable by_ends_;  // edges
  std::vector<std::uint32_t> free_nodes_;
  std::vector<std::uint32_t> free_edges_;
  std::vector<Fresh> fresh_;
  std::size_t cursor_ = 0;
  std::size_t broken_ = 0;  // nodes that left a component since all was sorted anew
  std::uint64_t refused_ = 0;
  std::uint64_t compactions_ = 0;
};

template <class IsAlive>
void OrderGraph::sweep(IsAlive is_alive, std::size_t how_many) {
  for (std::size_t i = 0; i < how_many && i < net_.nodes.size(); ++i) {
    if (cursor_ >= net_.nodes.size()) cursor_ = 0;
    const auto node = static_cast<std::uint32_t>(cursor_++);
    if (net_.nodes[node].used && !is_alive(net_.nodes[node].life)) remove_node(node);
  }
  compact_if_worth_it();
}

}  // namespace impasse
