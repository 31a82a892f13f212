#include "interpose/loaded_locks.h"

#include <dlfcn.h>

#include "interpose/current.h"
#include "interpose/session.h"

namespace impasse {

LoadedLocks::LoadedLocks() {
  const Ledger* const here = ledger();
  if (here == nullptr) return;
  const ErrnoKept errno_kept;
  const std::uint64_t used = here->header().locks_used.load(std::memory_order_acquire);
  for (std::uint64_t i = 0; i < used && count_ < kMost; ++i) {
    const std::uint64_t lock = here->lock_record(i).address.load(std::memory_order_acquire);
    dl_find_object found{};
    if (lock == 0 || includes(lock) ||
        _dl_find_object(reinterpret_cast<void*>(lock), &found) != 0) {
      continue;
    }
    objects_[count_++] = {found.dlfo_link_map,
                          reinterpret_cast<std::uint64_t>(found.dlfo_map_start),
                          reinterpret_cast<std::uint64_t>(found.dlfo_map_end)};
  }
}

bool LoadedLocks::includes(std::uint64_t address) const {
  for (unsigned i = 0; i < count_; ++i) {
    if (address >= objects_[i].start && address < objects_[i].end) return true;
  }
  return false;
}

void LoadedLocks::end_unloaded() const {
  const ErrnoKept errno_kept;
  for (unsigned i = 0; i < count_; ++i) {
    const Object& object = objects_[i];
    dl_find_object now{};
    const bool loaded = _dl_find_object(reinterpret_cast<void*>(object.start), &now) == 0 &&
                        now.dlfo_link_map == object.link_map;
    if (!loaded) memory_gone(object.start, object.end - object.start);
  }
}

}  // namespace impasse
