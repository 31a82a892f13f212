// Orders between the classes of locks: a class is all locks that were born at one place. Finds
// what would be a circle if the objects in it were the same, and no run has shown them to be.
//
// Promises: bounded; feasible by the rules of order_circles.h, with a gate being any lock of a
// common class. Within one class there is no order but that of addresses: told only when one
// thread took a lower and then a higher one, and another thread a higher and then a lower one, of
// four different ends. Silent for a chain that is walked hand over hand: what is held there was
// taken by the very call that takes the next. Used by one thread.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "detector/order_circles.h"
#include "detector/order_graph.h"

namespace impasse {

class OrderClasses {
 public:
  static constexpr std::size_t kMostEdges = 16'384;
  static constexpr std::size_t kMostWithin = 4'096;  // classes with orders inside
  static constexpr std::size_t kMostEachWay = 8;     // sights kept of these

  explicit OrderClasses(ThreadLives& lives, bool all)
      : graph_(lives, OrderLevel::kClasses, kMostEdges), circles_(graph_, all), store_(lives) {}

  // As as_evidence() made it.
  void add(const OrderSight& sight, std::uint64_t& allowance, std::vector<OrderCircle>& found);

  const OrderGraph& graph() const { return graph_; }
  // As SightStore::for_each().
  template <class Visit>
  void for_each_sight(Visit visit) {
    graph_.sights().for_each(visit);
    store_.for_each(visit);
  }
  const OrderSilences& silences() const { return circles_.silences(); }
  std::uint64_t refused() const { return graph_.refused() + refused_; }

 private:
  using Evidences = std::vector<OrderEvidence>;
  struct Within {
    Evidences up;  // a lower address was held, a higher one wanted
    Evidences down;
    std::uint32_t next_up = 0;  // the place whose turn it is to be replaced
    std::uint32_t next_down = 0;
  };

  void add_within(const OrderSight& sight, std::uint32_t held, std::vector<OrderCircle>& found);
  bool contradict(const OrderSight& a, std::uint32_t a_held, const OrderSight& b,
                  std::uint32_t b_held) const;
  void keep(Evidences& kept, std::uint32_t& next, OrderEvidence evidence);

  OrderGraph graph_;
  OrderCircles circles_;
  SightStore store_;  // of the orders within classes
  std::unordered_map<LockLife, Within, LockLifeHash> within_;
  std::uint64_t refused_ = 0;
};

}  // namespace impasse
