#include "detector/sight_store.h"

#include <utility>

namespace impasse {

std::uint32_t SightStore::put(OrderSight sight) {
  std::uint32_t id = 0;
  if (free_.empty()) {
    id = static_cast<std::uint32_t>(kept_.size());
    kept_.emplace_back();
  } else {
    id = free_.back();
    free_.pop_back();
  }
  Kept& kept = kept_[id];
  kept = {std::move(sight), 0, 0};
  kept.phase = lives_.phase(kept.sight.thread);
  lives_.pin(kept.sight.thread);
  return id;
}

void SightStore::leave(std::uint32_t id) {
  if (--kept_[id].users == 0) drop(id);
}

void SightStore::drop(std::uint32_t id) {
  lives_.unpin(kept_[id].sight.thread);
  kept_[id] = {{}, kFree, 0};
  free_.push_back(id);
}

}  // namespace impasse
