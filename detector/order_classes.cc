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

bool stronger(const SightedLock& a, const SightedLock& b) {
  const auto strength = [](const SightedLock& lock) {
    return !lock.shared ? 2 : lock.prefers_writers ? 1 : 0;
  };
  return strength(a) > strength(b);
}

// The graph takes the first lock of a class for all that are held: what is read goes, where it
// comes before one that is in the way of more.
OrderSight strongest_first(const OrderSight& sight) {
  OrderSight result = sight;
  result.held.clear();
  for (auto lock = sight.held.begin(); lock != sight.held.end(); ++lock) {
    const bool outdone =
        lock->birth != 0 && std::any_of(lock + 1, sight.held.end(), [&](const SightedLock& later) {
          return class_of(later) == class_of(*lock) && stronger(later, *lock);
        });
    if (!outdone) result.held.push_back(*lock);
  }
  return result;
}

OrderStep step_of(const OrderSight& sight, std::uint32_t held) {
  return {sight.held[held].life, sight.wanted.life, sight, held, 1, 1,
          sight.when_ns,         sight.when_ns};
}

}  // namespace

void OrderClasses::add(const OrderSight& sight, std::uint64_t& allowance,
                       std::vector<OrderCircle>& found) {
  // By value: the graph is free to forget while the circles are looked for.
  const std::vector<OrderGraph::Fresh> fresh = graph_.add(strongest_first(sight));
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
                              std::uint32_t b_held, bool phases) const {
  const SightedLock& a_from = a.held[a_held];
  const SightedLock& b_from = b.held[b_held];
  // Two that begin or end at the same lock are no contradiction, nor are two that go on from each
  // other; of the very two the graph of the locks themselves knows.
  if (a_from.life == b_from.life || a.wanted.life == b.wanted.life) return false;
  if (a_from.life == b.wanted.life || b_from.life == a.wanted.life) return false;
  if (!stands_in_the_way(a_from, b.wanted) || !stands_in_the_way(b_from, a.wanted)) return false;
  const OrderRefusal refusal = graph_.rules().together(a, b, class_of(a_from));
  if (refusal != OrderRefusal::kNone && !(phases && refusal == OrderRefusal::kOrdered))
    return false;
  // A lock of this very class that both hold guards as any other does.
  return of_locks_.together(a, b) != OrderRefusal::kGate;
}

const OrderEvidence* OrderClasses::opposite_of(const OrderSight& sight, std::uint32_t held,
                                               const Evidences& others, bool phases) const {
  const auto its = std::find_if(others.begin(), others.end(), [&](const OrderEvidence& other) {
    return contradict(sight, held, store_[other.sight], other.held, phases);
  });
  return its == others.end() ? nullptr : &*its;
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
  const Evidences& others = upwards ? within.down : within.up;
  const OrderEvidence* opposite = opposite_of(sight, held, others, false);
  if (opposite == nullptr && all_) opposite = opposite_of(sight, held, others, true);
  if (opposite != nullptr) {
    OrderCircle circle;
    circle.steps = {step_of(sight, held), step_of(store_[opposite->sight], opposite->held)};
    circle.doubt = OrderDoubt::kClass;
    found.push_back(std::move(circle));
  }
  keep(upwards ? within.up : within.down, sight, held);
}

// `a` serves wherever `b` would, phases apart: of the same two locks, behind no other gate.
bool OrderClasses::serves_for(const OrderSight& a, std::uint32_t a_held, const OrderSight& b,
                              std::uint32_t b_held) const {
  return a.held[a_held].life == b.held[b_held].life && a.wanted.life == b.wanted.life &&
         of_locks_.covers(a, a_held, b, b_held);
}

// What is to come can meet a thread's later sight wherever it can meet an earlier one.
void OrderClasses::keep(Evidences& kept, const OrderSight& sight, std::uint32_t held) {
  const std::uint32_t id = store_.put(sight);
  const bool known = std::any_of(kept.begin(), kept.end(), [&](const OrderEvidence& other) {
    return store_.phase(other.sight) == store_.phase(id) &&
           serves_for(store_[other.sight], other.held, sight, held);
  });
  if (!known) {
    std::erase_if(kept, [&](const OrderEvidence& other) {
      if (!serves_for(sight, held, store_[other.sight], other.held)) return false;
      store_.leave(other.sight);
      return true;
    });
    if (kept.size() == kMostEachWay) make_room(kept, sight.thread);
    store_.use(id);
    kept.push_back({id, held});
  }
  store_.drop_unused(id);
}

// The oldest of the thread that would have the most goes.
void OrderClasses::make_room(Evidences& kept, ThreadNumber newcomer) {
  const auto has = [&](const OrderEvidence& evidence) {
    const ThreadNumber thread = store_[evidence.sight].thread;
    return (thread == newcomer ? 1 : 0) +
           std::count_if(kept.begin(), kept.end(), [&](const OrderEvidence& other) {
             return store_[other.sight].thread == thread;
           });
  };
  const auto victim = std::max_element(
      kept.begin(), kept.end(), [&](const auto& a, const auto& b) { return has(a) < has(b); });
  store_.leave(victim->sight);
  kept.erase(victim);
}

}  // namespace impasse
