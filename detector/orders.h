// The lock order as a whole: takes what the program's threads tell of it, yields each circle that
// could hang once.
//
// Promises: pure values, no lock, no I/O, used by one thread; every size bounded, what did not fit
// is counted. Thinks in take_circles() alone, for no more than the steps that it is given.
//
//   for (...) orders.add(event);          // in any order between two calls of take_circles()
//   for (...) orders.add(std::move(sight));
//   for (const OrderCircle& circle : orders.take_circles(settled)) tell(circle);
//   orders.sweep(is_alive, 4'096);
#pragma once

#include <cstdint>
#include <limits>
#include <vector>

#include "detector/order_circles.h"
#include "detector/order_classes.h"
#include "detector/order_graph.h"
#include "detector/thread_lives.h"
#include "detector/told_circles.h"

namespace impasse {

struct OrderOptions {
  bool all = false;      // also what only the making and joining of threads prevents
  bool classes = false;  // also circles between different objects of the same kinds
  std::size_t most_edges = OrderGraph::kMostEdges;
  std::size_t most_threads = ThreadLives::kMostThreads;
};

struct OrderSummary {
  std::size_t locks = 0;
  std::size_t edges = 0;
  std::size_t kept_sights = 0;
  std::size_t threads = 0;
  std::uint64_t sights = 0;   // that came
  std::uint64_t circles = 0;  // that were told
  std::uint64_t alike = 0;    // found again at places that were told
  OrderSilences silences;     // of the locks, and of the classes
  std::uint64_t refused_edges = 0;
  std::uint64_t refused_circles = 0;  // too many were told
  std::uint64_t hurried = 0;  // events and sights thought about before all that came before them
  ThreadLives::Counts lives;
};

class Orders {
 public:
  static constexpr std::uint64_t kAll = std::numeric_limits<std::uint64_t>::max();
  static constexpr std::uint64_t kStepsATurn = 4'000'000;
  static constexpr std::size_t kMostWaiting = 65'536;

  explicit Orders(const OrderOptions& options = {});

  void add(const LifeEvent& event);
  void add(OrderSight sight);
  // Events drawn between these moments were lost: see ThreadLives.
  void lives_lost(std::uint64_t from, std::uint64_t until) { lives_.lost(from, until); }
  // Some were not thought about yet.
  bool waiting() const { return !events_.empty() || !sights_.empty(); }
  // Thinks about all up to the moment `settled`, of which nothing is still on its way here: the
  // value of the counter of moments just before the queues were emptied.
  std::vector<OrderCircle> take_circles(std::uint64_t settled = kAll,
                                        std::uint64_t steps = kStepsATurn);

  // Gives back the room that many needed to wait in, if none waits.
  void rest();

  void end(const LockLife& life) { graph_.end(life); }
  template <class IsAlive>
  void sweep(IsAlive is_alive, std::size_t how_many) {
    graph_.sweep(is_alive, how_many);
  }

  // visit(const LockLife& from, const LockLife& to, const OrderEdge&): its sights are
  // sight(edge.kept[i]), for i below kept_count.
  template <class Visit>
  void for_each_edge(Visit visit) const {
    graph_.for_each_edge(visit);
  }
  // Every sight there is, as visit(OrderSight&), which may change its stack's number. Circles that
  // were taken have copies.
  template <class Visit>
  void for_each_kept_sight(Visit visit) {
    graph_.sights().for_each(visit);
    classes_.for_each_sight(visit);
    for (OrderSight& sight : sights_) visit(sight);
    for (OrderCircle& circle : news_) {
      for (OrderStep& step : circle.steps) visit(step.sight);
    }
  }
  const OrderSight& sight(const OrderEvidence& evidence) const {
    return graph_.sights()[evidence.sight];
  }
  OrderSummary summary() const;
  const OrderGraph& graph() const { return graph_; }
  const ThreadLives& lives() const { return lives_; }

 private:
  void bound_the_waiting();
  void think(OrderSight sight, std::uint64_t& steps);
  void process(std::uint64_t settled, std::uint64_t& steps);
  void tell(OrderCircle circle);

  OrderOptions options_;
  ThreadLives lives_;
  OrderGraph graph_;
  OrderCircles circles_;
  OrderClasses classes_;
  std::vector<LifeEvent> events_;
  std::vector<OrderSight> sights_;
  ToldCircles told_;
  std::vector<OrderCircle> news_;
  std::uint64_t seen_ = 0;
  std::uint64_t told_count_ = 0;
  std::uint64_t alike_ = 0;
  std::uint64_t refused_circles_ = 0;
  std::uint64_t hurried_ = 0;
};

}  // namespace impasse
