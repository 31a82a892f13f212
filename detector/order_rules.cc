#include "detector/order_rules.h"

#include <algorithm>

namespace impasse {

LockLife class_of(const SightedLock& lock) {
  return {lock.birth, static_cast<std::uint32_t>(lock.kind), 1};
}

// In place: what waits to be thought about lies where what is kept of it will lie.
std::optional<OrderSight> as_evidence(OrderSight sight) {
  if (sight.wanted.tried) return std::nullopt;
  auto end = sight.held.begin();  // of the different ones
  for (const SightedLock& lock : sight.held) {
    if (lock.life == sight.wanted.life) {
      const bool only_reads = lock.shared && sight.wanted.shared;
      if (!only_reads || !stands_in_the_way(lock, sight.wanted)) return std::nullopt;
    }
    const auto known = std::find_if(sight.held.begin(), end,
                                    [&](const auto& other) { return other.life == lock.life; });
    if (known == end) {
      *end++ = lock;
    } else {
      known->shared = known->shared && lock.shared;
    }
  }
  sight.held.erase(end, sight.held.end());
  if (sight.held.empty()) return std::nullopt;
  return sight;
}

bool OrderRules::same(const SightedLock& a, const SightedLock& b) const {
  if (a.life == b.life) return true;
  if (level_ == OrderLevel::kLocks || a.birth == 0) return false;
  return class_of(a) == class_of(b);
}

bool OrderRules::share_a_gate(const OrderSight& a, const OrderSight& b,
                              const LockLife& ignored) const {
  for (const SightedLock& one : a.held) {
    if (one.life == a.wanted.life) continue;
    if (ignored.address != 0 && node_of(one, level_) == ignored) continue;
    for (const SightedLock& other : b.held) {
      if (other.life == b.wanted.life || (one.shared && other.shared)) continue;
      if (same(one, other)) return true;
    }
  }
  return false;
}

OrderRefusal OrderRules::together(const OrderSight& a, const OrderSight& b,
                                  const LockLife& ignored) const {
  if (a.thread == b.thread) return OrderRefusal::kOneThread;
  if (share_a_gate(a, b, ignored)) return OrderRefusal::kGate;
  return ordered(a, b) ? OrderRefusal::kOrdered : OrderRefusal::kNone;
}

bool OrderRules::covers(const OrderSight& a, std::uint32_t a_held, const OrderSight& b,
                        std::uint32_t b_held) const {
  const SightedLock& a_from = a.held[a_held];
  const SightedLock& b_from = b.held[b_held];
  if (a.thread != b.thread || a_from.shared != b_from.shared ||
      a_from.prefers_writers != b_from.prefers_writers || a.wanted.shared != b.wanted.shared ||
      a.wanted.timed != b.wanted.timed || a.wanted.prefers_writers != b.wanted.prefers_writers) {
    return false;
  }
  return std::all_of(a.held.begin(), a.held.end(), [&](const SightedLock& gate) {
    if (gate.life == a.wanted.life) return true;
    return std::any_of(b.held.begin(), b.held.end(), [&](const SightedLock& other) {
      return other.life != b.wanted.life && same(gate, other) && (gate.shared || !other.shared);
    });
  });
}

}  // namespace impasse
