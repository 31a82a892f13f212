// Sights of lock orders in few words, for tests.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "detector/order_sight.h"

namespace impasse {

inline LockLife life_of(std::uint64_t number, std::uint32_t generation = 1) {
  return {0x1000 + number * 64, static_cast<std::uint32_t>(number), generation};
}

inline SightedLock lock_of(std::uint64_t number) {
  SightedLock lock;
  lock.life = life_of(number);
  lock.site = 0x40'0000 + number;
  lock.birth = 0x50'0000 + number;
  return lock;
}

inline SightedLock reading(std::uint64_t number, bool prefers_writers = false) {
  SightedLock lock = lock_of(number);
  lock.kind = LockKind::kRwlock;
  lock.shared = true;
  lock.prefers_writers = prefers_writers;
  return lock;
}

inline SightedLock writing(std::uint64_t number, bool prefers_writers = false) {
  SightedLock lock = reading(number, prefers_writers);
  lock.shared = false;
  return lock;
}

inline OrderSight sight_of(ThreadNumber thread, std::uint64_t moment, std::vector<SightedLock> held,
                           SightedLock wanted) {
  OrderSight sight;
  sight.thread = thread;
  sight.tid = 1'000 + thread;
  sight.moment = moment;
  sight.when_ns = moment * 1'000;
  sight.wanted = wanted;
  sight.held = std::move(held);
  return sight;
}

}  // namespace impasse
