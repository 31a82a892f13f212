// The lock and unlock of a thread whose locks are counted (stats=on): the mark kCounted in its
// slot's state makes the hot path refuse, and the cold path comes here first. So that path costs
// nothing when nothing is counted.
//
// Promises: what hot_path.h and cold_path.h promise. Costs, uncontended: 12 ns a pair at most
// beyond the hot path. The lock's word is looked at first, a reader's too: what looks taken is
// counted as contended, and its wait is measured.
#pragma once

#include "interpose/hot_path.h"

namespace impasse {

// Of this thread; not null where its slot is marked.
extern thread_local constinit StatBlock* stat_block
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

// What a handler that forked returns to in the child counts into the void.
extern constinit StatBlock nobodys_stats __attribute__((visibility("hidden")));

// In the place of the stack of holds that the lock has now: begins to measure.
void measure_hold(std::uint64_t place, std::uint64_t lock, std::uint64_t site);
// Nobody has an entry for it yet.
void count_new(std::uint64_t lock, std::uint64_t site);
// The newest hold of this lock is given back; `stack` as it is before.
void end_hold(ThreadSlot& slot, std::uint64_t lock);
// As end_hold(), at this place.
void end_hold_at(ThreadSlot& slot, std::uint64_t place);
// The hold at this place is taken out from below others, after that.
void take_out_counted(ThreadSlot& slot, std::uint64_t place);

// Of a hold's traits: what tells one row of numbers from another.
inline std::uint64_t stat_site(std::uint64_t pc, std::uint8_t traits) {
  constexpr std::uint8_t kTold = hold_trait::kKindMask | hold_trait::kShared;
  return site_word(pc, traits & kTold, 0);
}

// One acquisition, that had not to wait, of the lock at this place of the stack.
[[gnu::always_inline]] inline void count_at(std::uint64_t place, std::uint64_t lock,
                                            std::uint64_t site) {
  StatBlock& block = *stat_block;
  StatEntry& entry = first_entry(block, lock, site);
  if (entry.lock.load(std::memory_order_relaxed) == lock &&
      entry.site.load(std::memory_order_relaxed) == site) [[likely]] {
    add_here(entry.acquisitions, 1);
  } else {
    count_new(lock, site);
  }
  block.samples[place].lock.store(0, std::memory_order_relaxed);
  const std::uint32_t left = block.countdown.load(std::memory_order_relaxed) - 1;
  block.countdown.store(left, std::memory_order_relaxed);
  if (left == 0 || block.last_tick.load(std::memory_order_relaxed) != tick_now()) [[unlikely]]
    measure_hold(place, lock, site);
}

// Anything but an uncontended lock of a thread with few holds.
template <typename Kind, auto& kReal, std::uint8_t kTraits, typename... Args>
[[gnu::noinline]] int take_counted_slowly(typename Kind::Lock* lock, CallSite from, Args... args) {
  const bool waits = Kind::is_taken(lock) &&
                     !Kind::taken_again(lock, current_slot->tid.load(std::memory_order_relaxed));
  const std::uint64_t since = cycles_now();
  const int answer = take_with_care<Kind, kReal, kTraits>(lock, from, args...);
  if (acquired(answer)) {
    const std::uint64_t now = cycles_now();
    const ErrnoKept errno_kept;
    count_taken(address_of(lock), from.pc, kTraits,
                !waits        ? kNoWait
                : now > since ? now - since
                              : 0);
  }
  return answer;
}

template <auto& kReal, std::uint8_t kTraits, typename Lock>
[[gnu::noinline]] int take_counted_unseen(Lock* lock, CallSite from, std::uint64_t path) {
  const int answer = take_unseen<kReal, kTraits>(lock, from, path);
  if (acquired(answer)) count_taken(address_of(lock), from.pc, kTraits, kNoWait);
  return answer;
}

[[gnu::noinline, gnu::cold]] int counted_intent_failed(const Hold& intent, int answer);

template <typename Kind, auto& kReal, std::uint8_t kTraits, typename... Args>
[[gnu::noinline]] int take_counted(typename Kind::Lock* lock, CallSite from, Args... args) {
  if constexpr (sizeof...(Args) != 0) {
    return take_counted_slowly<Kind, kReal, kTraits>(lock, from, args...);
  } else {
    ThreadSlot& slot = *current_slot;
    const std::uint64_t state = slot.state.load(std::memory_order_relaxed);
    const std::uint64_t depth = state & (kRefuseMask & ~kCounted);
    if (depth >= kInlineHolds || Kind::looks_taken(lock)) [[unlikely]]
      return take_counted_slowly<Kind, kReal, kTraits>(lock, from);
    Hold& hold = place_at(slot, depth);
    std::uint64_t path = lock_key(address_of(lock), kTraits);
    if (depth != 0) {
      path = extend_path((&hold)[-1].path.load(std::memory_order_relaxed), path);
      if (slot.seen[seen_place(path)].load(std::memory_order_relaxed) != path) [[unlikely]]
        return take_counted_unseen<kReal, kTraits>(lock, from, path);
    }
    fill<kTraits, hold_phase::kAcquiring>(slot, state, hold, address_of(lock), from, path);
    const int answer = real::call(kReal)(lock);
    if (answer != 0) [[unlikely]]
      return counted_intent_failed(hold, answer);
    grant(hold);
    count_at(depth, address_of(lock), stat_site(from.pc, kTraits));
    return 0;
  }
}

// After a try function that got the lock, by a thread with few holds.
template <typename Kind, std::uint8_t kTraits>
[[gnu::noinline]] int tried_counted(typename Kind::Lock* lock, CallSite from) {
  ThreadSlot& slot = *current_slot;
  const std::uint64_t state = slot.state.load(std::memory_order_relaxed);
  const std::uint64_t depth = depth_of(state);
  Hold& hold = place_at(slot, depth);
  std::uint64_t path = lock_key(address_of(lock), kTraits);
  if (depth != 0) path = extend_path((&hold)[-1].path.load(std::memory_order_relaxed), path);
  fill<kTraits | hold_trait::kTry, hold_phase::kHeld>(slot, state, hold, address_of(lock), from,
                                                      path);
  count_at(depth, address_of(lock), stat_site(from.pc, kTraits));
  return 0;
}

// The newest hold is measured, or it lasted long.
template <auto& kReal, typename Lock>
[[gnu::noinline]] int release_measured(Lock* lock) {
  ThreadSlot& slot = *current_slot;
  const std::uint64_t top = depth_of(slot.state.load(std::memory_order_relaxed)) - 1;
  end_hold_at(slot, top);
  const std::uint64_t state = slot.state.load(std::memory_order_relaxed);
  slot.holds[top].lock.store(0, std::memory_order_release);
  slot.state.store(state + kStateStep - 1, std::memory_order_release);
  return real::call(kReal)(lock);
}

// Out of order, or more than is known about.
template <typename Kind, auto& kReal>
[[gnu::noinline]] int release_counted_slowly(typename Kind::Lock* lock) {
  ThreadSlot& slot = *current_slot;
  constexpr std::uint64_t kBusy = kRefuseMask & ~kCounted & ~kDepthMask;
  if ((slot.state.load(std::memory_order_relaxed) & kBusy) == 0) {
    for (std::uint64_t i = depth_of(slot.state.load(std::memory_order_relaxed)); i-- > 0;) {
      if (slot.holds[i].lock.load(std::memory_order_relaxed) != address_of(lock)) continue;
      end_hold_at(slot, i);
      take_out_counted(slot, i);
      return real::call(kReal)(lock);
    }
  }
  end_hold(slot, address_of(lock));
  return release_with_care<Kind, kReal>(lock);
}

template <typename Kind, auto& kReal>
[[gnu::noinline]] int release_counted(typename Kind::Lock* lock) {
  ThreadSlot& slot = *current_slot;
  const std::uint64_t state = slot.state.load(std::memory_order_relaxed);
  const std::uint64_t top = (state & (kRefuseMask & ~kCounted)) - 1;
  if (top >= kInlineHolds) [[unlikely]]
    return release_counted_slowly<Kind, kReal>(lock);
  Hold& hold = slot.holds[top];
  if (hold.lock.load(std::memory_order_relaxed) != address_of(lock)) [[unlikely]]
    return release_counted_slowly<Kind, kReal>(lock);
  const auto since = static_cast<std::uint32_t>(hold.stamp.load(std::memory_order_relaxed));
  if (stat_block->samples[top].lock.load(std::memory_order_relaxed) != 0 ||
      tick_now() - since >= kLongHoldTicks) [[unlikely]] {
    return release_measured<kReal>(lock);
  }
  hold.lock.store(0, std::memory_order_release);
  slot.state.store(state + kStateStep - 1, std::memory_order_release);
  return real::call(kReal)(lock);
}

}  // namespace impasse
