#include "detector/departures.h"

#include "detector/hold_stack.h"
#include "detector/page_filter.h"

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
    lock_pages.add(hold.lock);  // whoever frees or destroys the lock comes to look
    place.lock.store(hold.lock, std::memory_order_release);
    return;
  }
  ledger_.count(k_departures_dropped);
}

bool Departures::forget_range(std::uint64_t start, std::uint64_t bytes) {
  const std::uint64_t used = ledger_.header().departures_used.load(std::memory_order_acquire);
  bool any = false;
  for (std::uint64_t i = 0; i < used; ++i) {
    std::uint64_t lock = ledger_.departure(i).lock.load(std::memory_order_relaxed);
    if (lock < start || lock - start >= bytes || lock <= kBeingWritten) continue;
    if (!ledger_.departure(i).lock.compare_exchange_strong(lock, 0, std::memory_order_acq_rel))
      continue;
    lock_pages.remove(lock);
    any = true;
  }
  return any;
}

namespace {

// Collects holds one by one.
class Look {
 public:
  Look(const ThreadSlot& slot, DepartureReason reason, std::uint64_t now_ns, LostHold* out,
       unsigned room)
      : slot_(slot), reason_(reason), now_ns_(now_ns), out_(out), room_(room) {}

  template <typename AnyHold>
  void at(const AnyHold& hold) {
    const std::uint64_t lock = hold.lock.load(std::memory_order_acquire);
    const std::uint64_t site = hold.site.load(std::memory_order_relaxed);
    if (lock <= kBeingWritten || site >> kPhaseShift != hold_phase::kHeld || found_ == room_)
      return;
    if (((site >> kTraitShift) & hold_trait::kAgain) != 0 || released_elsewhere(slot_, lock))
      return;
    LostHold& lost = out_[found_++];
    lost = {lock,
            site,
            hold.stamp.load(std::memory_order_relaxed),
            slot_.tid.load(std::memory_order_relaxed),
            reason_,
            now_ns_,
            {}};
    for (unsigned k = 0; k < kNameBytes / 8; ++k)
      lost.name[k] = slot_.name[k].load(std::memory_order_relaxed);
  }
  void at_deep(const Ledger& ledger) {
    const std::uint64_t deep = slot_.deep.load(std::memory_order_acquire);
    const std::uint64_t places =
        deep == 0 ? 0 : slot_.deep_size.load(std::memory_order_relaxed) >> 32;
    for (std::uint64_t i = 0; i < places && found_ < room_; ++i) at(ledger.at<DeepHold>(deep)[i]);
  }
  unsigned found() const { return found_; }

 private:
  const ThreadSlot& slot_;
  DepartureReason reason_;
  std::uint64_t now_ns_;
  LostHold* out_;
  unsigned room_;
  unsigned found_ = 0;
};

}  // namespace

unsigned look_at_holds(const ThreadSlot& slot, const Ledger& ledger, DepartureReason reason,
                       std::uint64_t now_ns, LostHold* out, unsigned room) {
  Look look(slot, reason, now_ns, out, room);
  const std::uint64_t depth = depth_of(slot.state.load(std::memory_order_acquire));
  for (std::uint64_t i = 0; i < depth && i < kInlineHolds; ++i) look.at(slot.holds[i]);
  look.at_deep(ledger);
  return look.found();
}

unsigned look_at_deep_holds(const ThreadSlot& slot, const Ledger& ledger, LostHold* out,
                            unsigned room) {
  Look look(slot, DepartureReason::kNone, 0, out, room);
  look.at_deep(ledger);
  return look.found();
}

void leave_holds_behind(const ThreadSlot& slot, Ledger& ledger, std::uint64_t now_ns) {
  if (depth_of(slot.state.load(std::memory_order_relaxed)) == 0 &&
      slot.deep.load(std::memory_order_relaxed) == 0) {
    return;
  }
  constexpr unsigned kAtMost = 32;  // a thread's end has little stack
  LostHold lost[kAtMost];
  const unsigned n =
      look_at_holds(slot, ledger, DepartureReason::kThreadEnded, now_ns, lost, kAtMost);
  Departures departures(ledger);
  for (unsigned i = 0; i < n; ++i) departures.add(lost[i]);
  if (n == kAtMost) ledger.count(k_departures_dropped);
}

}  // namespace impasse
