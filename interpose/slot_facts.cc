#include "interpose/slot_facts.h"

namespace impasse {

void move_facts(ThreadSlot& to, const ThreadSlot& from) {
  const std::uint64_t state = from.state.load(std::memory_order_relaxed);
  for (std::uint64_t i = 0; i < (state & kDepthMask); ++i) {
    to.holds[i].site.store(from.holds[i].site.load(std::memory_order_relaxed),
                           std::memory_order_relaxed);
    to.holds[i].stamp.store(from.holds[i].stamp.load(std::memory_order_relaxed),
                            std::memory_order_relaxed);
    to.holds[i].path.store(from.holds[i].path.load(std::memory_order_relaxed),
                           std::memory_order_relaxed);
    to.holds[i].lock.store(from.holds[i].lock.load(std::memory_order_relaxed),
                           std::memory_order_release);
  }
  for (unsigned i = 0; i < kNameBytes / 8; ++i)
    to.name[i].store(from.name[i], std::memory_order_relaxed);
  to.name_known.store(from.name_known, std::memory_order_relaxed);
  // A child that was forked by another thread than the main one runs on that one's stack.
  if (const std::uint64_t high = from.stack_high.load(std::memory_order_relaxed); high != 0) {
    to.stack_low.store(from.stack_low.load(std::memory_order_relaxed), std::memory_order_relaxed);
    to.stack_high.store(high, std::memory_order_relaxed);
  }
  const std::uint64_t marks = to.state.load(std::memory_order_relaxed) & kCounted;
  to.state.store((state & kDepthMask) + kStateStep + marks, std::memory_order_release);
}

}  // namespace impasse
