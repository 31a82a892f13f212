// The sights that are evidence of some order, each kept once for all orders that it shows.
//
// Promises: a kept sight's thread is pinned in ThreadLives for as long. Used by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <vector>

#include "detector/order_sight.h"
#include "detector/thread_lives.h"

namespace impasse {

class SightStore {
 public:
  explicit SightStore(ThreadLives& lives) : lives_(lives) {}

  // With no user yet.
  std::uint32_t put(OrderSight sight);
  void use(std::uint32_t id) { ++kept_[id].users; }
  // The last one's going away makes the sight go.
  void leave(std::uint32_t id);
  void drop_unused(std::uint32_t id) {
    if (kept_[id].users == 0) drop(id);
  }

  const OrderSight& operator[](std::uint32_t id) const { return kept_[id].sight; }
  // The thread's phase at that time: see ThreadLives::phase().
  std::uint32_t phase(std::uint32_t id) const { return kept_[id].phase; }
  // visit(OrderSight&): of its facts it may change how the stack is found.
  template <class Visit>
  void for_each(Visit visit) {
    for (Kept& kept : kept_) {
      if (!kept.free()) visit(kept.sight);
    }
  }
  std::size_t size() const { return kept_.size() - free_.size(); }
  // Gives memory back; `moved` (from, to) is called for every sight that got another number.
  template <class Moved>
  void compact(Moved moved);

 private:
  static constexpr std::uint32_t kFree = std::numeric_limits<std::uint32_t>::max();
  struct Kept {
    OrderSight sight;
    std::uint32_t users = 0;
    std::uint32_t phase = 0;
    bool free() const { return users == kFree; }
  };

  void drop(std::uint32_t id);

  ThreadLives& lives_;
  std::deque<Kept> kept_;
  std::vector<std::uint32_t> free_;
};

template <class Moved>
void SightStore::compact(Moved moved) {
  std::deque<Kept> packed;
  for (std::uint32_t id = 0; id < kept_.size(); ++id) {
    if (kept_[id].free()) continue;
    moved(id, static_cast<std::uint32_t>(packed.size()));
    packed.push_back(std::move(kept_[id]));
  }
  kept_ = std::move(packed);
  std::vector<std::uint32_t>().swap(free_);
}

}  // namespace impasse
