#include "detector/order_circles.h"

#include <algorithm>
#include <utility>

namespace impasse {
namespace {

constexpr std::uint64_t kStepsOfATest = 4;

}  // namespace

std::optional<OrderCircle> OrderCircles::through(const OrderGraph::Fresh& fresh,
                                                 std::uint64_t& allowance) {
  ++searches_;
  const OrderNet& net = graph_.net();
  if (states_.capacity() > 4 * net.nodes.size() + 1'024) states_ = {};
  states_.resize(net.nodes.size());
  steps_left_ = std::min(kStepsEach, allowance);
  const std::uint64_t granted = steps_left_;
  start_ = net.edges[fresh.edge].from;
  ++mark_;
  states_[start_] = {mark_, 0, true};
  frontier_.assign(1, start_);
  widened_ = 0;
  out_of_steps_ = met_timed_ = met_ordered_ = false;
  furthest_ = OrderRefusal::kNone;

  bool found = false;
  const bool timed = graph_.sights()[fresh.evidence.sight].wanted.timed;
  if (!timed) found = find(fresh, {false, false});
  if (!found && (timed || met_timed_)) found = find(fresh, {true, false});
  if (!found && all_ && met_ordered_) {
    if (!timed) found = find(fresh, {false, true});
    if (!found && (timed || met_timed_)) found = find(fresh, {true, true});
  }
  allowance -= granted - steps_left_;
  if (!found) {
    count_silence();
    return std::nullopt;
  }
  if (out_of_steps_) ++silences_.out_of_steps;
  return result();
}

bool OrderCircles::find(const OrderGraph::Fresh& fresh, Allowed allowed) {
  const OrderEdge& edge = graph_.net().edges[fresh.edge];
  path_.assign(1, {fresh.edge, fresh.evidence});
  // A reader that a waiting writer keeps out of what it reads already.
  if (edge.from == edge.to) return true;
  for (std::uint32_t limit = 2; limit <= kLongest; ++limit) {
    cut_ = false;
    if (!widen(limit - 1)) cut_ = true;
    if (out_of_steps_) return false;
    NodeState& first = states_[edge.to];
    if (first.mark != mark_) {
      if (frontier_.empty()) return false;  // no way back at all
      continue;
    }
    first.on_path = true;
    const bool found = descend(edge.to, limit, allowed);
    first.on_path = false;
    if (found) return true;
    if (!cut_ || out_of_steps_) return false;
  }
  out_of_steps_ = true;
  return false;
}

bool OrderCircles::spend(std::uint64_t steps) {
  if (steps_left_ < steps) {
    steps_left_ = 0;
    out_of_steps_ = true;
    return false;
  }
  steps_left_ -= steps;
  return true;
}

// Finds all nodes of the component that are up to so far from the beginning, going backward. False:
// there may be more beyond.
bool OrderCircles::widen(std::uint32_t distance) {
  const OrderNet& net = graph_.net();
  std::vector<std::uint32_t> next;
  while (widened_ < distance && !frontier_.empty()) {
    next.clear();
    for (const std::uint32_t node : frontier_) {
      if (!spend(net.nodes[node].in.size())) return false;
      for (const std::uint32_t number : net.nodes[node].in) {
        const std::uint32_t from = net.edges[number].from;
        if (states_[from].mark == mark_ || !graph_.together(from, start_)) continue;
        states_[from] = {mark_, widened_ + 1, false};
        next.push_back(from);
      }
    }
    frontier_.swap(next);
    ++widened_;
  }
  return frontier_.empty();
}

// The path has come to this node; the circle may have `limit` orders.
bool OrderCircles::descend(std::uint32_t node, std::uint32_t limit, Allowed allowed) {
  const OrderNet& net = graph_.net();
  const auto depth = static_cast<std::uint32_t>(path_.size());
  if (!spend(net.nodes[node].out.size())) return false;
  for (const std::uint32_t number : net.nodes[node].out) {
    const OrderEdge& edge = net.edges[number];
    NodeState& next = states_[edge.to];
    const bool closes = edge.to == start_;
    if (next.mark != mark_ || (next.on_path && !closes)) continue;
    if (!closes && depth + 1 + next.distance > limit) {
      cut_ = true;
      continue;
    }
    // Shorter ones were looked for before; all that they could refuse they have refused.
    if (closes && depth + 1 < limit) continue;
    for (std::uint32_t i = 0; i < edge.kept_count; ++i) {
      if (!spend(kStepsOfATest * depth)) return false;
      if (!fits(number, edge.kept[i], closes, allowed)) continue;
      path_.push_back({number, edge.kept[i]});
      if (closes) return true;
      next.on_path = true;
      const bool found = descend(edge.to, limit, allowed);
      next.on_path = false;
      if (found) return true;
      path_.pop_back();
      if (out_of_steps_) return false;
    }
  }
  return false;
}

bool OrderCircles::refuse(OrderRefusal reason) {
  furthest_ = std::max(furthest_, reason);
  return false;
}

bool OrderCircles::fits(std::uint32_t edge, OrderEvidence evidence, bool closes, Allowed allowed) {
  const OrderSight& sight = graph_.sights()[evidence.sight];
  if (!stands_in_the_way(sight.held[evidence.held], sight_of(path_.back()).wanted)) {
    return refuse(OrderRefusal::kReaders);
  }
  const Chosen& first = path_.front();
  if (closes && !stands_in_the_way(sight_of(first).held[first.evidence.held], sight.wanted)) {
    return refuse(OrderRefusal::kReaders);
  }
  bool ordered = false;
  for (const Chosen& chosen : path_) {
    const OrderRefusal refusal = graph_.rules().together(sight_of(chosen), sight);
    ordered = ordered || refusal == OrderRefusal::kOrdered;
    if (refusal != OrderRefusal::kNone && refusal != OrderRefusal::kOrdered) {
      return refuse(refusal);
    }
  }
  if (sight.wanted.timed && !allowed.timed) {
    met_timed_ = true;
    return false;
  }
  if (ordered && !allowed.phases) {
    met_ordered_ = true;
    return refuse(OrderRefusal::kOrdered);
  }
  if (closes && graph_.rules().level() == OrderLevel::kClasses) {
    path_.push_back({edge, evidence});
    const bool instances = same_locks_meet();
    path_.pop_back();
    return !instances;
  }
  return true;
}

// Then it is a circle of locks, not only of their classes.
bool OrderCircles::same_locks_meet() const {
  for (std::size_t i = 0; i < path_.size(); ++i) {
    const Chosen& next = path_[(i + 1) % path_.size()];
    if (sight_of(path_[i]).wanted.life != sight_of(next).held[next.evidence.held].life) {
      return false;
    }
  }
  return true;
}

OrderCircle OrderCircles::result() const {
  OrderCircle circle;
  const OrderNet& net = graph_.net();
  bool timed = false;
  bool phases = false;
  for (const Chosen& chosen : path_) {
    const OrderEdge& edge = net.edges[chosen.edge];
    const OrderSight& sight = sight_of(chosen);
    for (const Chosen& other : path_) {
      if (&other == &chosen) break;
      phases = phases || graph_.rules().ordered(sight_of(other), sight);
    }
    timed = timed || sight.wanted.timed;
    circle.steps.push_back({sight.held[chosen.evidence.held].life, sight.wanted.life, sight,
                            chosen.evidence.held, edge.seen, edge.threads, edge.first_ns,
                            edge.last_ns});
  }
  circle.doubt = phases ? OrderDoubt::kPhases : timed ? OrderDoubt::kTimed : OrderDoubt::kNone;
  return circle;
}

void OrderCircles::count_silence() {
  if (out_of_steps_) {
    ++silences_.out_of_steps;
    return;
  }
  switch (furthest_) {
    case OrderRefusal::kNone:
      return;
    case OrderRefusal::kReaders:
      ++silences_.readers;
      return;
    case OrderRefusal::kOneThread:
      ++silences_.one_thread;
      return;
    case OrderRefusal::kGate:
      ++silences_.gate;
      return;
    case OrderRefusal::kOrdered:
      ++silences_.ordered;
      return;
  }
}

}  // namespace impasse
