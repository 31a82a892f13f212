#include "detector/departures.h"

#include "detector/hold_stack.h"

namespace impasse {
namespace {

constexpr std::uint64_t kBeingWritten = 1;

bool released_elsewhere(const ThreadSlot& slot, std::uint64_t lock) {
  for (const auto& letter : slot.mailbox) {
    if (letter.load(std::memory_order_relaxed) == lock) return true;
  }
  return false;
}

}  // namespace

bool Departures::open_place(std::uint64_t number) {
  std::atomic<std::uint64_t>& used = ledger_.header().departures_used;
  const GrowthTurn turn(ledger_.growth());
  if (!turn) return false;
  if (used.load(std::memory_order_relaxed) > number) return true;  // another thread did
  constexpr std::uint64_t kAtOnce = kPage / sizeof(Departure);
  if (number % kAtOnce == 0 && !ledger_.growth().reserve(&ledger_.departure(number), kPage))
    return false;
  used.store(number + 1, std::memory_order_release);
  return true;
}

void Departures::add(const LostHold& hold) {
  std::atomic<std::uint64_t>& used = ledger_.header().departures_used;
  const std::uint64_t capacity = ledger_.departure_capacity();
  for (std::uint64_t i = 0; i < capacity; ++i) {
    if (i >= used.load(std::memory_order_acquire) && !open_place(i)) break;
    Departure& place = ledger_.departure(i);
    std::uint64_t empty = 0;
    if (!place.lock.compare_exchange_strong(empty, kBeingWritten, std::memory_order_acq_rel))
      continue;
    place.site.store(hold.site, std::memory_order_relaxed);
    place.stamp.store(hold.stamp, std::memory_order_relaxed);
    place.tid.store(hold.tid, std::memory_order_relaxed);
    place.reason.store(static_cast<std::uint32_t>(hold.reason), std::memory_order_relaxed);
    place.when_ns.store(hold.when_ns, std::memory_order_relaxed);
    for (unsigned k = 0; k < kNameBytes / 8; ++k)
      place.name[k].store(hold.name[k], std::memory_order_relaxed);
    place.lock.store(hold.lock, std::memory_order_release);
    return;
  }
  ledger_.count(k_departures_dropped);
}

bool Departures::forget(std::uint64_t lock) {
  const std::uint64_t used = ledger_.header().departures_used.load(std::memory_order_acquire);
  for (std::uint64_t i = 0; i < used; ++i) {
    std::uint64_t expected = lock;
    if (ledger_.departure(i).lock.compare_exchange_strong(expected, 0, std::memory_order_acq_rel))
      return true;
  }
  return false;
}

unsigned look_at_holds(const ThreadSlot& slot, const Ledger& ledger, DepartureReason reason,
                       std::uint64_t now_ns, LostHold* out, unsigned room) {
  unsigned found = 0;
  const auto take = [&](std::uint64_t lock, std::uint64_t site, std::uint64_t stamp) {
    if (lock <= kBeingWritten || site >> kPhaseShift != hold_phase::kHeld || found == room) return;
    if (((site >> kTraitShift) & hold_trait::kAgain) != 0 || released_elsewhere(slot, lock)) return;
    LostHold& lost = out[found++];
    lost = {lock, site, stamp, slot.tid.load(std::memory_order_relaxed), reason, now_ns, {}};
    for (unsigned k = 0; k < kNameBytes / 8; ++k)
      lost.name[k] = slot.name[k].load(std::memory_order_relaxed);
  };
  const std::uint64_t depth = depth_of(slot.state.load(std::memory_order_acquire));
  for (std::uint64_t i = 0; i < depth && i < kInlineHolds; ++i) {
    const Hold& hold = slot.holds[i];
    take(hold.lock.load(std::memory_order_acquire), hold.site.load(std::memory_order_relaxed),
         hold.stamp.load(std::memory_order_relaxed));
  }
  const std::uint64_t deep = slot.deep.load(std::memory_order_acquire);
  const std::uint64_t places = deep == 0 ? 0 : slot.deep_size.load(std::memory_order_relaxed) >> 32;
  for (std::uint64_t i = 0; i < places && found < room; ++i) {
    const DeepHold& hold = ledger.at<DeepHold>(deep)[i];
    take(hold.lock.load(std::memory_order_acquire), hold.site.load(std::memory_order_relaxed),
         hold.stamp.load(std::memory_order_relaxed));
  }
  return found;
}

}  // namespace impasse
