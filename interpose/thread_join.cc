#include "interpose/thread_join.h"

namespace impasse {

ThreadSlot* find_thread(const Ledger& ledger, pthread_t thread) {
  const std::uint64_t used = ledger.slots_used();
  for (std::uint64_t i = 0; i < used; ++i) {
    ThreadSlot& slot = ledger.slot(i);
    if (slot.thread.load(std::memory_order_relaxed) == thread) return &slot;
  }
  return nullptr;
}

}  // namespace impasse
