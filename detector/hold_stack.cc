#include "detector/hold_stack.h"

#include "detector/deep_holds.h"
#include "detector/touched.h"

namespace impasse {
std::uint64_t HoldStack::path_with(std::uint64_t lock, std::uint8_t traits) {
  const std::uint64_t depth = depth_of(slot_.state.load(std::memory_order_relaxed));
  if (depth == 0) return lock_key(lock, traits);
  std::uint64_t below = slot_.holds[depth - 1].path.load(std::memory_order_relaxed);
  if (depth == kInlineHolds && ledger_ != nullptr) {
    const std::uint64_t deeper = deep::hash_of_all(slot_, *ledger_);
    if (deeper != 0) below = extend_path(below, deeper);
  }
  return (traits & hold_trait::kAgain) != 0 ? below : extend_path(below, lock_key(lock, traits));
}

void HoldStack::push(const NewHold& hold, std::uint8_t phase, std::uint32_t tick) {
  const std::uint64_t state = slot_.state.load(std::memory_order_relaxed);
  const std::uint64_t depth = depth_of(state);
  touch(slot_, hold.lock);
  if (depth >= kInlineHolds) {
    if (ledger_ != nullptr && deep::add(slot_, *ledger_, hold, phase, tick)) return;
    if (ledger_ != nullptr) ledger_->count(k_holds_dropped);
    return;
  }
  const std::uint64_t path = path_with(hold.lock, hold.traits);
  Hold& place = slot_.holds[depth];
  // Reserved before it is filled: a signal handler from here on takes the next place.
  slot_.state.store(state + kStateStep + 1, std::memory_order_release);
  place.site.store(site_word(hold.site, hold.traits, phase), std::memory_order_release);
  place.path.store(path, std::memory_order_release);
  place.stamp.store(tick | (hold.stack_pointer & 0xffff'ffff) << 32, std::memory_order_release);
  place.lock.store(hold.lock, std::memory_order_release);  // INV-HOLD-1
}

Hold* HoldStack::find(std::uint64_t lock) {
  for (std::uint64_t i = depth_of(slot_.state.load(std::memory_order_relaxed)); i-- > 0;) {
    if (slot_.holds[i].lock.load(std::memory_order_relaxed) == lock) return &slot_.holds[i];
  }
  return nullptr;
}

bool HoldStack::remove(std::uint64_t lock) {
  Hold* hold = find(lock);
  if (hold == nullptr) return ledger_ != nullptr && deep::remove(slot_, *ledger_, lock);
  const std::uint64_t state = slot_.state.load(std::memory_order_relaxed);
  const std::uint64_t depth = depth_of(state);
  const auto index = static_cast<std::uint64_t>(hold - slot_.holds);
  if (index + 1 == depth) {
    hold->lock.store(0, std::memory_order_release);
    slot_.state.store(state + kStateStep - 1, std::memory_order_release);
    return true;
  }
  // A signal handler that releases what the interrupted code is moving: later.
  if ((state & kRearranging) != 0) return post(slot_, lock);

  take_out(slot_, state, index, depth);
  return true;
}

bool HoldStack::give_back(std::uint64_t lock) {
  if (Hold* hold = find(lock)) {
    set_phase(*hold, hold_phase::kGivenBack);
    return true;
  }
  DeepHold* hold = ledger_ == nullptr ? nullptr : deep::find(slot_, *ledger_, lock);
  if (hold != nullptr) deep::set_phase(*hold, hold_phase::kGivenBack);
  return hold != nullptr;
}

void HoldStack::take_again(std::uint64_t lock, std::uint32_t tick) {
  constexpr std::uint64_t kTickBits = 0xffff'ffff;
  if (Hold* hold = find(lock)) {
    hold->stamp.store((hold->stamp.load(std::memory_order_relaxed) & ~kTickBits) | tick,
                      std::memory_order_release);
    set_phase(*hold, hold_phase::kHeld);
  } else if (DeepHold* deep = ledger_ == nullptr ? nullptr : deep::find(slot_, *ledger_, lock)) {
    deep->stamp.store((deep->stamp.load(std::memory_order_relaxed) & ~kTickBits) | tick,
                      std::memory_order_relaxed);
    deep::set_phase(*deep, hold_phase::kHeld);
  }
}

bool HoldStack::post(ThreadSlot& to, std::uint64_t lock) {
  for (auto& letter : to.mailbox) {
    std::uint64_t empty = 0;
    if (letter.compare_exchange_strong(empty, lock, std::memory_order_acq_rel)) {
      // Makes the owner's next lock or unlock come and read. Its plain store may undo this; then
      // the one after does, and readers take letters into account in any case.
      to.state.fetch_or(kMailWaiting, std::memory_order_acq_rel);
      return true;
    }
  }
  return false;
}

void HoldStack::read_mail() {
  slot_.state.fetch_and(~kMailWaiting, std::memory_order_seq_cst);
  for (auto& letter : slot_.mailbox) {
    if (letter.load(std::memory_order_relaxed) == 0) continue;
    if (const std::uint64_t lock = letter.exchange(0, std::memory_order_acq_rel); lock != 0)
      remove(lock);
  }
}

}  // namespace impasse
