// Circles of lock orders that could hang: the prediction.
//
// Promises: every circle that is told is feasible by the rules below with the very sights that it
// names; of those through a new piece of evidence a shortest one is found, of any length up to
// kLongest, as long as the steps last (it is counted when they do not). One without doubt is
// preferred to a shorter one with doubt. Used by one thread.
//
// Feasible: a sight for every order such that
// - all are of different threads;
// - who wants a lock conflicts with who holds it: two readers do not, unless the lock's kind keeps
//   new readers out while a writer waits;
// - no two hold a common lock in conflicting modes. That covers the gate that guards them all, and
//   the thread that would have to stand in two places at once;
// - no two are kept apart by the making and joining of threads.
//
// Costs: nothing for evidence outside of cyclic components (order_graph.h).
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "detector/finding_kinds.h"
#include "detector/order_graph.h"

namespace impasse {

struct OrderStep {
  LockLife from;
  LockLife to;
  OrderSight sight;        // a copy
  std::uint32_t held = 0;  // index of `from` among its held locks
  // Of the whole order, not just of this sight.
  std::uint64_t seen = 0;
  std::uint32_t threads = 0;  // at least
  std::uint64_t first_ns = 0;
  std::uint64_t last_ns = 0;
};

struct OrderCircle {
  std::vector<OrderStep> steps;  // each one's `to` is the next one's `from`; the last leads back
  OrderDoubt doubt = OrderDoubt::kNone;
};

// What kept circles from being told: for each search that found none, how far it got.
struct OrderSilences {
  std::uint64_t readers = 0;
  std::uint64_t one_thread = 0;
  std::uint64_t gate = 0;
  std::uint64_t ordered = 0;
  std::uint64_t out_of_steps = 0;
};

class OrderCircles {
 public:
  static constexpr std::uint32_t kLongest = 64;
  static constexpr std::uint64_t kStepsEach = 400'000;

  // `all`: those too that are feasible but for the making and joining of threads.
  OrderCircles(const OrderGraph& graph, bool all) : graph_(graph), all_(all) {}

  // The best circle with this evidence in it. Takes its steps from `allowance`.
  std::optional<OrderCircle> through(const OrderGraph::Fresh& fresh, std::uint64_t& allowance);

  const OrderSilences& silences() const { return silences_; }
  std::uint64_t searches() const { return searches_; }

 private:
  struct Allowed {
    bool timed = false;
    bool phases = false;
  };
  struct Chosen {
    std::uint32_t edge;
    OrderEvidence evidence;
  };
  // Of the present search; each is current where its mark is.
  struct NodeState {
    std::uint64_t mark = 0;
    std::uint32_t distance = 0;  // to the circle's beginning, in orders
    bool on_path = false;
  };

  bool find(const OrderGraph::Fresh& fresh, Allowed allowed);
  bool widen(std::uint32_t distance);
  bool descend(std::uint32_t node, std::uint32_t limit, Allowed allowed);
  bool fits(std::uint32_t edge, OrderEvidence evidence, bool closes, Allowed allowed);
  bool spend(std::uint64_t steps);
  const OrderSight& sight_of(const Chosen& chosen) const {
    return graph_.sights()[chosen.evidence.sight];
  }
  bool refuse(OrderRefusal reason);
  bool same_locks_meet() const;
  OrderCircle result() const;
  void count_silence();

  const OrderGraph& graph_;
  const bool all_;
  OrderSilences silences_;
  std::uint64_t searches_ = 0;

  std::vector<NodeState> states_;
  std::uint64_t mark_ = 0;
  std::vector<std::uint32_t> frontier_;  // nodes at distance widened_
  std::uint32_t widened_ = 0;
  std::uint32_t start_ = kNowhere;
  std::vector<Chosen> path_;
  std::uint64_t steps_left_ = 0;
  bool out_of_steps_ = false;
  bool cut_ = false;  // a longer circle is possible
  bool met_timed_ = false;
  bool met_ordered_ = false;
  OrderRefusal furthest_ = OrderRefusal::kNone;
};

}  // namespace impasse
