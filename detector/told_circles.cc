#include "detector/told_circles.h"

#include <algorithm>

namespace impasse {
namespace {

std::uint64_t mixed(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e37'79b9'7f4a'7c15;
  return hash ^ (hash >> 29);
}

std::uint64_t place_of(const SightedLock& lock) {
  return lock.place != 0 ? lock.place : lock.site;
}

// What makes a step of this circle worth telling; 0: nothing.
std::uint64_t order_of(const OrderStep& step, OrderDoubt doubt) {
  const SightedLock& wanted = step.sight.wanted;
  if (doubt == OrderDoubt::kTimed) return wanted.timed ? mixed(3, wanted.site) : 0;
  return mixed(mixed(1, place_of(step.sight.held[step.held])), place_of(wanted));
}

std::uint64_t locks_and_calls_of(const OrderCircle& circle) {
  std::uint64_t sum = circle.steps.size();
  for (const OrderStep& step : circle.steps) {
    const SightedLock& held = step.sight.held[step.held];
    const SightedLock& wanted = step.sight.wanted;
    std::uint64_t hash = mixed(mixed(2, held.life.address), held.life.generation);
    hash = mixed(mixed(hash, wanted.life.address), wanted.life.generation);
    sum += mixed(mixed(hash, held.site), wanted.site);
  }
  return sum;
}

}  // namespace

bool ToldCircles::covers(const Known& known, std::uint64_t hash, bool doubted) {
  const auto told = known.find(hash);
  return told != known.end() && (doubted || !told->second);
}

bool ToldCircles::has_new_order(const OrderCircle& circle) const {
  const bool doubted = circle.doubt != OrderDoubt::kNone;
  return std::any_of(circle.steps.begin(), circle.steps.end(), [&](const OrderStep& step) {
    const std::uint64_t order = order_of(step, circle.doubt);
    return order != 0 && !covers(orders_, order, doubted);
  });
}

ToldCircles::News ToldCircles::judge(const OrderCircle& circle) {
  const bool doubted = circle.doubt != OrderDoubt::kNone;
  const std::uint64_t all = locks_and_calls_of(circle);
  if (!has_new_order(circle) || covers(circles_, all, doubted)) return News::kAlike;
  if (circles_.size() >= kMost) return News::kNoRoom;
  for (const OrderStep& step : circle.steps) {
    const std::uint64_t order = order_of(step, circle.doubt);
    if (order == 0) continue;
    const auto [told, is_new] = orders_.emplace(order, doubted);
    if (!is_new) told->second = told->second && doubted;
  }
  circles_[all] = doubted;
  return News::kYes;
}

}  // namespace impasse
