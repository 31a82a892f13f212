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

std::uint64_t order_of(const OrderStep& step) {
  return mixed(mixed(1, place_of(step.sight.held[step.held])), place_of(step.sight.wanted));
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

ToldCircles::News ToldCircles::judge(const OrderCircle& circle) {
  const bool doubted = circle.doubt != OrderDoubt::kNone;
  const std::uint64_t all = locks_and_calls_of(circle);
  const bool nothing_new =
      std::all_of(circle.steps.begin(), circle.steps.end(),
                  [&](const OrderStep& step) { return covers(orders_, order_of(step), doubted); });
  if (nothing_new || covers(circles_, all, doubted)) return News::kAlike;
  if (circles_.size() >= kMost) return News::kNoRoom;
  for (const OrderStep& step : circle.steps) {
    const auto [told, is_new] = orders_.emplace(order_of(step), doubted);
    if (!is_new) told->second = told->second && doubted;
  }
  circles_[all] = doubted;
  return News::kYes;
}

}  // namespace impasse
