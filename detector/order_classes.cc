#include "detector/order_classes.h"

#include <algorithm>
#include <utility>

namespace impasse {
namespace {

// What is held was taken by the call that takes the next one, and is the only one of its class.
bool hand_over_hand(const OrderSight& sight, std::uint32_t held) {
  const SightedLock& from = sight.held[held];
  if (from.site != sight.wanted.site) return false;
  const LockLife its_class = class_of(from);
  return std::count_if(sight.held.begin(), sight.held.end(),
                       [&](const SightedLock& lock) { return class_of(lock) == its_class; }) == 1;
}

OrderStep step_of(const OrderSight& sight, std::uint32_t held) {
  return {sight.held[held].life, sight.wanted.life, sight, held, 1, 1,
          sight.when_ns,         sight.when_ns};
}

}  // namespace

void OrderClasses::add(const OrderSight& sight, std::uint64_t& allowance,
                       std::vector<OrderCircle>& found) {
  // By value: the graph is free to forget while the circles are looked for.
  const std::vector<OrderGraph::Fresh> fresh = graph_.add(sight);
  for (const OrderGraph::Fresh& evidence : fresh) {
    auto circle = circles_.through(evidence, allowance);
    if (!circle) continue;
    circle->doubt = OrderDoubt::kClass;
    found.push_back(std::move(*circle));
  }
  if (sight.wanted.birth == 0) return;
  const LockLife its_class = class_of(sight.wanted);
  for (std::uint32_t held = 0; held < sight.held.size(); ++held) {
    const SightedLock& from = sight.held[held];
    if (from.life == sight.wanted.life || class_of(from) != its_class) continue;
    if (!hand_over_hand(sight, held)) add_within(sight, held, found);
  }
}

// One circle of two: a's `from` would be b's `wanted`, and the other way round.
bool OrderClasses::contradict(const OrderSight& a, std::uint32_t a_held, const OrderSight& b,
                              std::uint32_t b_held) const {
  const SightedLock& a_from = a.held[a_held];
  const SightedLock& b_from = b.held[b_held];
  // Two that begin or end at the same lock are no contradiction.
  if (a_from.life == b_from.life || a.wanted.life == b.wanted.life) return false;
  // The very two: the graph of the locks themselves knows.
  if (a_from.life == b.wanted.life && b_from.life == a.wanted.life) return false;
  if (!stands_in_the_way(a_from, b.wanted) || !stands_in_the_way(b_from, a.wanted)) return false;
  return graph_.rules().together(a, b, class_of(a_from)) == OrderRefusal::kNone;
}

void OrderClasses::add_within(const OrderSight& sight, std::uint32_t held,
                              std::vector<OrderCircle>& found) {
  const LockLife its_class = class_of(sight.wanted);
  if (within_.size() >= kMostWithin && !within_.contains(its_class)) {
    ++refused_;
    return;
  }
  Within& within = within_[its_class];
  const bool upwards = sight.held[held].life.address < sight.wanted.life.address;
  for (const OrderEvidence& other : upwards ? within.down : within.up) {
    const OrderSight& opposite = store_[other.sight];
    if (!contradict(sight, held, opposite, other.held)) continue;
    OrderCircle circle;
    circle.steps = {step_of(sight, held), step_of(opposite, other.held)};
    circle.doubt = OrderDoubt::kClass;
    found.push_back(std::move(circle));
    break;
  }
  keep(upwards ? within.up : within.down, upwards ? within.next_up : within.next_down,
       {store_.put(sight), held});
}

// Of each thread one is enough, as long as there is a place for others; then the oldest goes.
void OrderClasses::keep(Evidences& kept, std::uint32_t& next, OrderEvidence evidence) {
  store_.use(evidence.sight);
  const OrderSight& sight = store_[evidence.sight];
  const auto same = std::find_if(kept.begin(), kept.end(), [&](const OrderEvidence& known) {
    const OrderSight& other = store_[known.sight];
    return other.thread == sight.thread &&
           other.held[known.held].life == sight.held[evidence.held].life &&
           other.wanted.life == sight.wanted.life;
  });
  if (same != kept.end()) {
    store_.leave(same->sight);
    *same = evidence;
  } else if (kept.size() < kMostEachWay) {
    kept.push_back(evidence);
  } else {
    store_.leave(kept[next].sight);
    kept[next] = evidence;
    next = (next + 1) % kMostEachWay;
  }
}

}  // namespace impasse
