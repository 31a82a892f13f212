#include "detector/snapshot.h"

#include <algorithm>

namespace impasse {

std::span<const CounterText> counter_texts() {
  static constexpr CounterText kTexts[] = {
#define IMPASSE_COUNTER(name, text) {#name, text},
#include "detector/counters.def"
#undef IMPASSE_COUNTER
  };
  static_assert(std::size(kTexts) == kCounters);
  return kTexts;
}

void add_life(LockFact& lock, const LockFact& more) {
  lock.contended += more.contended;
  lock.waited_ns += more.waited_ns;
  if (lock.last_holder == 0) lock.last_holder = more.last_holder;
  lock.woken_sites |= more.woken_sites;
  const std::uint32_t maker = more.gone_signallers_maker;
  if (lock.gone_signallers_maker == 0) {
    lock.gone_signallers_maker = maker;
  } else if (maker != 0 && maker != lock.gone_signallers_maker) {
    lock.gone_signallers_maker = kSeveralMakers;
  }
}

HolderIndex::HolderIndex(const Snapshot& snapshot) {
  for (std::uint32_t t = 0; t < snapshot.threads.size(); ++t) {
    const auto& holds = snapshot.threads[t].holds;
    for (std::uint32_t h = 0; h < holds.size(); ++h) {
      if (holds[h].phase == hold_phase::kHeld) holders_.push_back({holds[h].lock, t, h});
    }
  }
  std::stable_sort(holders_.begin(), holders_.end(),
                   [](const Holder& a, const Holder& b) { return a.lock < b.lock; });
}

std::span<const HolderIndex::Holder> HolderIndex::of(std::uint64_t lock) const {
  const auto below = [](const Holder& a, std::uint64_t b) { return a.lock < b; };
  const auto first = std::lower_bound(holders_.begin(), holders_.end(), lock, below);
  auto last = first;
  while (last != holders_.end() && last->lock == lock) ++last;
  return {first, last};
}

}  // namespace impasse
