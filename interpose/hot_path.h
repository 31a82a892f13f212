// The uncontended lock and unlock. Budget: 80 instructions and 1.5 times the bare pair
// (bench/instructions.budget holds the counts and a test compares).
//
// The shape is the budget: exactly one call, every refusal a tail jump to a complete cold function,
// so that two registers are saved and not six. One state word is depth and count of changes; a
// place is reserved before it is filled, so a signal handler may lock between any two instructions;
// one probe answers at any depth whether this lock was ever taken with exactly these held.
#pragma once

#include "detector/page_filter.h"
#include "detector/touched.h"
#include "interpose/cold_path.h"
#include "interpose/order_notes.h"

namespace impasse {

#define IMPASSE_CALL_SITE                                         \
  ::impasse::CallSite {                                           \
    reinterpret_cast<std::uint64_t>(__builtin_return_address(0)), \
        reinterpret_cast<std::uint64_t>(__builtin_dwarf_cfa())    \
  }

// The intent could not be made a hold.
[[gnu::noinline, gnu::cold]] int intent_failed(const Hold& intent, int answer);

// The place that a hold at this depth takes. Opaque, or the compiler keeps both halves of the sum
// across the call.
[[gnu::always_inline]] inline Hold& place_at(ThreadSlot& slot, std::uint64_t depth) {
  Hold* hold = &slot.holds[depth];
  __asm__("" : "+r"(hold));
  return *hold;
}

// Fills the next place of the stack. It is reserved before it is filled, and valid with its last
// word (INV-HOLD-1).
template <std::uint8_t kTraits, std::uint8_t kPhase>
[[gnu::always_inline]] inline void fill(ThreadSlot& slot, std::uint64_t state, Hold& hold,
                                        std::uint64_t lock, CallSite from, std::uint64_t path) {
  constexpr bool kMutex =
      (kTraits & hold_trait::kKindMask) == static_cast<std::uint8_t>(LockKind::kMutex);
  if constexpr (kMutex && (kTraits & hold_trait::kAgain) == 0) touch(slot, lock);
  slot.state.store(state + kStateStep + 1, std::memory_order_release);
  hold.site.store(site_word(from.pc, kTraits, kPhase), std::memory_order_release);
  hold.path.store(path, std::memory_order_release);
  hold.stamp.store(tick_now() | from.stack_pointer << 32, std::memory_order_release);
  hold.lock.store(lock, std::memory_order_release);
}

// libc has granted what was asked for: held from now on, not from when it was asked for.
[[gnu::always_inline]] inline void grant(Hold& hold) {
  __atomic_store_n(reinterpret_cast<std::uint32_t*>(&hold.stamp), tick_now(), __ATOMIC_RELEASE);
  set_phase(hold, hold_phase::kHeld);
}

// From the intent to the hold.
template <auto& kReal, std::uint8_t kTraits, typename Lock>
[[gnu::always_inline]] inline int take_with(ThreadSlot& slot, Lock* lock, CallSite from,
                                            std::uint64_t path) {
  const std::uint64_t state = slot.state.load(std::memory_order_relaxed);
  Hold& hold = place_at(slot, depth_of(state));
  fill<kTraits, hold_phase::kAcquiring>(slot, state, hold, address_of(lock), from, path);
  const int answer = real::call(kReal)(lock);
  if (answer != 0) [[unlikely]]
    return intent_failed(hold, answer);
  grant(hold);
  return 0;
}

// An order that may have to be told.
template <auto& kReal, std::uint8_t kTraits, typename Lock>
[[gnu::noinline]] int take_untold(Lock* lock, CallSite from, std::uint64_t path) {
  ThreadSlot& slot = *current_slot;
  note_order(slot, path, {address_of(lock), from.pc, from.stack_pointer, kTraits});
  return take_with<kReal, kTraits>(slot, lock, from, path);
}

// An order that this thread has not seen, or has forgotten for another one. The path is handed on:
// the question that it is asked for is bound by memory, and so begins a hash's time earlier.
template <auto& kReal, std::uint8_t kTraits, typename Lock>
[[gnu::noinline]] int take_unseen(Lock* lock, CallSite from, std::uint64_t path) {
  ThreadSlot& slot = *current_slot;
  if (!seen_after_all(slot, path)) [[unlikely]]
    return take_untold<kReal, kTraits>(lock, from, path);
  return take_with<kReal, kTraits>(slot, lock, from, path);
}

// A lock that looks taken: mostly by another thread; a recursive one by this thread, which is no
// reason to be slow.
template <typename Kind, auto& kReal, std::uint8_t kTraits>
[[gnu::noinline]] int take_taken(typename Kind::Lock* lock, CallSite from) {
  ThreadSlot& slot = *current_slot;
  if (!Kind::taken_again(lock, slot.tid.load(std::memory_order_relaxed))) {
    return take_slowly<Kind, kReal, kTraits>(lock, from);
  }
  const std::uint64_t state = slot.state.load(std::memory_order_relaxed);
  const std::uint64_t depth = depth_of(state);
  Hold& hold = place_at(slot, depth);
  const std::uint64_t path = depth == 0 ? lock_key(address_of(lock), kTraits)
                                        : (&hold)[-1].path.load(std::memory_order_relaxed);
  fill<kTraits | hold_trait::kAgain, hold_phase::kAcquiring>(slot, state, hold, address_of(lock),
                                                             from, path);
  const int answer = real::call(kReal)(lock);
  if (answer != 0) [[unlikely]]
    return intent_failed(hold, answer);
  grant(hold);
  return 0;
}

// kLook: whether to look at the lock's word first. Readers do not: under sharing the look costs
// more than it saves, and the intent tells of the wait.
template <typename Kind, auto& kReal, std::uint8_t kTraits, bool kLook>
[[gnu::always_inline]] inline int take(typename Kind::Lock* lock, CallSite from) {
  ThreadSlot* const slot = current_slot;
  if (slot == nullptr) [[unlikely]]
    return take_slowly<Kind, kReal, kTraits>(lock, from);
  const std::uint64_t state = slot->state.load(std::memory_order_relaxed);
  const std::uint64_t depth = state & kRefuseMask;
  if (depth >= kInlineHolds) [[unlikely]]
    return take_slowly<Kind, kReal, kTraits>(lock, from);
  if (kLook && Kind::looks_taken(lock)) [[unlikely]]
    return take_taken<Kind, kReal, kTraits>(lock, from);

  Hold& hold = place_at(*slot, depth);
  std::uint64_t path = lock_key(address_of(lock), kTraits);
  if (depth != 0) {
    path = extend_path((&hold)[-1].path.load(std::memory_order_relaxed), path);
    if (slot->seen[seen_place(path)].load(std::memory_order_relaxed) != path) [[unlikely]] {
      return take_unseen<kReal, kTraits>(lock, from, path);
    }
  }
  fill<kTraits, hold_phase::kAcquiring>(*slot, state, hold, address_of(lock), from, path);
  const int answer = real::call(kReal)(lock);
  if (answer != 0) [[unlikely]]
    return intent_failed(hold, answer);
  grant(hold);
  return 0;
}

// After a try function: it cannot have waited, so there is no intent to tell and no order that
// could hang.
template <typename Kind, auto& kReal, std::uint8_t kTraits>
[[gnu::always_inline]] inline int try_take(typename Kind::Lock* lock, CallSite from) {
  const int answer = real::call(kReal)(lock);
  ThreadSlot* const slot = current_slot;
  if (answer != 0 || slot == nullptr || Kind::has_levels(lock)) [[unlikely]] {
    return tried<Kind, kTraits>(lock, from, answer);
  }
  const std::uint64_t state = slot->state.load(std::memory_order_relaxed);
  const std::uint64_t depth = state & kRefuseMask;
  if (depth >= kInlineHolds) [[unlikely]]
    return tried<Kind, kTraits>(lock, from, answer);
  Hold& hold = place_at(*slot, depth);
  std::uint64_t path = lock_key(address_of(lock), kTraits);
  if (depth != 0) path = extend_path((&hold)[-1].path.load(std::memory_order_relaxed), path);
  fill<kTraits | hold_trait::kTry, hold_phase::kHeld>(*slot, state, hold, address_of(lock), from,
                                                      path);
  return 0;
}

template <typename Kind, auto& kReal>
[[gnu::always_inline]] inline int release(typename Kind::Lock* lock) {
  ThreadSlot* const slot = current_slot;
  if (slot == nullptr) [[unlikely]]
    return release_slowly<Kind, kReal>(lock);
  const std::uint64_t state = slot->state.load(std::memory_order_relaxed);
  const std::uint64_t top = (state & kRefuseMask) - 1;
  if (top >= kInlineHolds) [[unlikely]]
    return release_slowly<Kind, kReal>(lock);
  Hold& hold = slot->holds[top];
  if (hold.lock.load(std::memory_order_relaxed) != address_of(lock)) [[unlikely]] {
    return release_below<Kind, kReal>(lock);
  }
  hold.lock.store(0, std::memory_order_release);
  slot->state.store(state + kStateStep - 1, std::memory_order_release);
  return real::call(kReal)(lock);
}

}  // namespace impasse
