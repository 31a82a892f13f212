// When two sights of lock orders can stand in one deadlock.
//
// Promises: pure functions of the sights and of what is known of the threads' lives.
#pragma once

#include <cstdint>
#include <optional>

#include "detector/order_net.h"
#include "detector/order_sight.h"
#include "detector/thread_lives.h"

namespace impasse {

// What is the same lock: that very one, or any that was born at the same place.
enum class OrderLevel : std::uint8_t { kLocks, kClasses };

// In the order in which they are looked at: a later one got further.
enum class OrderRefusal : std::uint8_t {
  kNone,
  kReaders,    // who wants it gets past who holds it
  kOneThread,  // one thread cannot stand in two places
  kGate,       // both hold a lock that only one of them can have
  kOrdered,    // the one's thread had ended, or the other's was not yet made
};

// The class of a lock, as if it were a lock. Address 0: it has none.
LockLife class_of(const SightedLock& lock);
inline LockLife node_of(const SightedLock& lock, OrderLevel level) {
  return level == OrderLevel::kLocks ? lock.life : class_of(lock);
}

// The sight as evidence of orders: each held lock once, in its stronger mode. Nothing for one that
// can have no part in a circle: by a try function; of what the thread has already, unless a writer
// that waits would keep it out of its own read lock.
std::optional<OrderSight> as_evidence(OrderSight sight);

inline bool stands_in_the_way(const SightedLock& held, const SightedLock& wanted) {
  return !held.shared || !wanted.shared || held.prefers_writers || wanted.prefers_writers;
}

class OrderRules {
 public:
  OrderRules(const ThreadLives& lives, OrderLevel level) : lives_(lives), level_(level) {}

  // Both in one circle, wherever in it; `ignored` is no gate for them (address 0: none such).
  OrderRefusal together(const OrderSight& a, const OrderSight& b,
                        const LockLife& ignored = {}) const;
  bool ordered(const OrderSight& a, const OrderSight& b) const {
    return lives_.ordered(a.thread, a.moment, b.thread, b.moment);
  }
  // `a` serves wherever `b` would: the same thread in the same modes, behind no other gate. Says
  // nothing of their phases.
  bool covers(const OrderSight& a, std::uint32_t a_held, const OrderSight& b,
              std::uint32_t b_held) const;
  OrderLevel level() const { return level_; }

 private:
  bool same(const SightedLock& a, const SightedLock& b) const;
  bool share_a_gate(const OrderSight& a, const OrderSight& b, const LockLife& ignored) const;

  const ThreadLives& lives_;
  OrderLevel level_;
};

}  // namespace impasse
