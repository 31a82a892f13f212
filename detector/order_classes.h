// Orders between the classes of locks: a class is all locks that were born at one place. Finds
// what would be a circle if the objects in it were the same, and no run has shown them to be.
//
// Promises: bounded; feasible by the rules of order_circles.h, with a gate being any lock of a
// common class. What the very same objects have shown is for the circles of locks to tell, and is
// not told here. Within one class there is no order but that of addresses, and of its own locks
// only the very same one is a gate: told only when one thread took a lower and then a higher one,
// and another thread a higher and then a lower one, of four different ends. Silent for a chain that
// is walked hand over hand: what is held there was taken by the very call that takes the next, and
// is the only one of its class. Used by one thread.
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
      : all_(all),
        graph_(lives, OrderLevel::kClasses, kMostEdges),
        circles_(graph_, all),
        of_locks_(lives, OrderLevel::kLocks),
        store_(lives) {}

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
    Evidences up;  // a lower address was held, a higher one wanted; the oldest first
    Evidences down;
  };

  void add_within(const OrderSight& sight, std::uint32_t held, std::vector<OrderCircle>& found);
  const OrderEvidence* opposite_of(const OrderSight& sight, std::uint32_t held,
                                   const Evidences& others, bool phases) const;
  bool contradict(const OrderSight& a, std::uint32_t a_held, const OrderSight& b,
                  std::uint32_t b_held, bool phases) const;
  void keep(Evidences& kept, const OrderSight& sight, std::uint32_t held);
  void make_room(Evidences& kept, ThreadNumber newcomer);
  bool serves_for(const OrderSight& a, std::uint32_t a_held, const OrderSight& b,
                  std::uint32_t b_held) const;

  bool all_;
  OrderGraph graph_;
  OrderCircles circles_;
  OrderRules of_locks_;
  SightStore store_;  // of the orders within classes
  std::unordered_map<LockLife, Within, LockLifeHash> within_;
  std::uint64_t refused_ = 0;
};

}  // namespace impasse
