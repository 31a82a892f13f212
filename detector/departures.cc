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

bool Departures::clear(std::uint64_t number, std::uint64_t lock) {
  if (!ledger_.departure(number).lock.compare_exchange_strong(lock, 0, std::memory_order_acq_rel)) {
    return false;
  }
  lock_pages.remove(lock);
  return true;
}

bool Departures::forget(std::uint64_t lock) {
  const std::uint64_t used = ledger_.header().departures_used.load(std::memory_order_acquire);
  for (std::uint64_t i = 0; i < used; ++i) {
    if (clear(i, lock)) return true;
  }
  return false;
}

void Departures::forget_range(std::uint64_t start, std::uint64_t bytes) {
  const std::uint64_t used = ledger_.header().departures_used.load(std::memory_order_acquire);
  for (std::uint64_t i = 0; i < used; ++i) {
    const std::uint64_t lock = ledger_.departure(i).lock.load(std::memory_order_relaxed);
    if (lock > kBeingWritten && lock >= start && lock - start < bytes) clear(i, lock);
  }
}

bool Departures::read(std::uint64_t number, LostHold& lost) const {
  const Departure& place = ledger_.departure(number);
  lost.lock = place.lock.load(std::memory_order_acquire);
  if (lost.lock <= kBeingWritten) return false;
  lost.site = place.site.load(std::memory_order_relaxed);
  lost.stamp = place.stamp.load(std::memory_order_relaxed);
  lost.tid = place.tid.load(std::memory_order_relaxed);
  lost.reason = static_cast<DepartureReason>(place.reason.load(std::memory_order_relaxed));
  lost.when_ns = place.when_ns.load(std::memory_order_relaxed);
  for (unsigned k = 0; k < kNameBytes / 8; ++k) {
    lost.name[k] = place.name[k].load(std::memory_order_relaxed);
  }
  return place.lock.load(std::memory_order_acquire) == lost.lock;
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
    if (lock <= kBeingWritten || site >> kPhaseShift != hold_phase::kHeld) return;
    if (((site >> kTraitShift) & hold_trait::kAgain) != 0 || released_elsewhere(slot_, lock))
      return;
    if (found_ == room_) {
      ++over_;
      return;
    }
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
    for (std::uint64_t i = 0; i < places; ++i) at(ledger.at<DeepHold>(deep)[i]);
  }
  unsigned found() const { return found_; }
  std::uint64_t over() const { return over_; }  // found no room

 private:
  const ThreadSlot& slot_;
  DepartureReason reason_;
  std::uint64_t now_ns_;
  LostHold* out_;
  unsigned room_;
  unsigned found_ = 0;
  std::uint64_t over_ = 0;
};

}  // namespace

namespace {

void look_at_all(Look& look, const ThreadSlot& slot, const Ledger& ledger) {
  const std::uint64_t depth = depth_of(slot.state.load(std::memory_order_acquire));
  for (std::uint64_t i = 0; i < depth && i < kInlineHolds; ++i) look.at(slot.holds[i]);
  look.at_deep(ledger);
}

}  // namespace

unsigned look_at_holds(const ThreadSlot& slot, const Ledger& ledger, DepartureReason reason,
                       std::uint64_t now_ns, LostHold* out, unsigned room) {
  Look look(slot, reason, now_ns, out, room);
  look_at_all(look, slot, ledger);
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
  Look look(slot, DepartureReason::kThreadEnded, now_ns, lost, kAtMost);
  look_at_all(look, slot, ledger);
  Departures departures(ledger);
  for (unsigned i = 0; i < look.found(); ++i) departures.add(lost[i]);
  if (look.over() != 0) ledger.count(k_departures_dropped, look.over());
}

}  // namespace impasse
