#include "witness/stack_owners.h"

#include <algorithm>

namespace impasse::witness {
namespace {

constexpr std::size_t kMostMakings = 65'536;
constexpr unsigned kMostGenerations = 64;

}  // namespace

// What is not known any more is not sure: that costs a finding, not the truth. Those that live are
// not forgotten for the sake of those that are gone.
void StackOwners::hear(const LifeEvent& event) {
  if (event.kind == LifeEvent::Kind::kEnded) {
    if (const auto gone = makings_.find(event.thread); gone != makings_.end()) {
      gone->second.ended = true;
    }
  }
  if (event.kind != LifeEvent::Kind::kBorn) return;
  if (makings_.size() >= kMostMakings) {
    std::erase_if(makings_, [](const auto& making) { return making.second.ended; });
    if (makings_.size() >= kMostMakings) makings_.clear();
  }
  makings_[event.thread] = {event.other, event.stack_pointer, false};
}

void StackOwners::look() {
  stacks_.clear();
  for (std::uint64_t i = 0; i < ledger_.slots_used(); ++i) {
    const ThreadSlot& slot = ledger_.slot(i);
    const std::uint64_t high = slot.stack_high.load(std::memory_order_acquire);
    const ThreadNumber number = slot.number.load(std::memory_order_relaxed);
    const bool lives =
        slot.life.load(std::memory_order_acquire) != static_cast<std::uint32_t>(ThreadLife::kFree);
    if (!lives || high == 0 || number == 0) continue;
    stacks_.push_back({slot.stack_low.load(std::memory_order_relaxed), high, number});
  }
  std::sort(stacks_.begin(), stacks_.end(),
            [](const StackRange& a, const StackRange& b) { return a.high < b.high; });
}

ThreadNumber StackOwners::owner_of(std::uint64_t address) const {
  const auto next = std::upper_bound(
      stacks_.begin(), stacks_.end(), address,
      [](std::uint64_t wanted, const StackRange& stack) { return wanted < stack.high; });
  return next != stacks_.end() && next->low <= address ? next->owner : 0;
}

bool StackOwners::sure(ThreadNumber user, std::uint64_t address) const {
  const ThreadNumber owner = owner_of(address);
  if (owner == 0) return true;
  for (unsigned i = 0; user != owner; ++i) {
    const auto making = makings_.find(user);
    if (making == makings_.end() || i == kMostGenerations) return false;
    if (making->second.maker == owner) {
      const std::uint64_t frames_from = making->second.stack_pointer;
      return frames_from != 0 && address >= frames_from;
    }
    user = making->second.maker;
  }
  return true;
}

bool StackOwners::sure(const OrderSight& sight) const {
  return sure(sight.thread, sight.wanted.life.address) &&
         std::all_of(sight.held.begin(), sight.held.end(), [&](const SightedLock& held) {
           return sure(sight.thread, held.life.address);
         });
}

}  // namespace impasse::witness
