// Taking and releasing a lock where the hot path refuses: no slot yet, many holds, a lock that
// looks taken, a timed call, a release out of order or by another thread. Complete operations,
// reached by a tail jump.
//
// Promises: each calls the real function exactly once, with the program's arguments, and returns
// its answer; errno is what the real function left. None may be noexcept: a cancelled thread
// unwinds through them.
#pragma once

#include <cerrno>
#include <cstdint>

#include "detector/clock.h"
#include "detector/departures.h"
#include "detector/hold_stack.h"
#include "detector/lock_table.h"
#include "detector/stats_block.h"
#include "detector/wait.h"
#include "interpose/current.h"
#include "interpose/lock_kinds.h"
#include "interpose/misuse.h"
#include "interpose/real.h"
#include "interpose/registers.h"
#include "interpose/session.h"

namespace impasse {

// Where the program called from.
struct CallSite {
  std::uint64_t pc;
  std::uint64_t stack_pointer;
};

// ---- with stats=on, see counted_path.h
inline bool is_counted(const ThreadSlot* slot) {
  return slot != nullptr && (slot->state.load(std::memory_order_relaxed) & kCounted) != 0;
}
template <typename Kind, auto& kReal, std::uint8_t kTraits, typename... Args>
[[gnu::noinline]] int take_counted(typename Kind::Lock* lock, CallSite from, Args... args);
template <typename Kind, auto& kReal>
[[gnu::noinline]] int release_counted(typename Kind::Lock* lock);
template <typename Kind, std::uint8_t kTraits>
[[gnu::noinline]] int tried_counted(typename Kind::Lock* lock, CallSite from);
// The lock, recorded already, was taken. `wait` in cycles, or kNoWait.
void count_taken(std::uint64_t lock, std::uint64_t pc, std::uint8_t traits, std::uint64_t wait);

inline bool acquired(int answer) {
  return answer == 0 || answer == EOWNERDEAD;
}
inline std::uint32_t tick_now() {
  return published_tick.value.load(std::memory_order_relaxed);
}

// A path not seen before by this thread: each lock on it matters from now on, and the order is told
// (order_notes.h). Where there is no room to tell, nothing is remembered: it comes here again.
void note_order(ThreadSlot& slot, std::uint64_t path, const NewHold& hold);
// The lock is about to be waited for; null: no room for its record.
LockRecord* note_contention(ThreadSlot& slot, LockKind kind, std::uint64_t lock,
                            std::uint64_t site);
// ... and was got after so many ticks.
void note_long_wait(const ThreadSlot& slot, LockRecord& record, std::uint32_t ticks);
// The previous holder of a robust mutex died holding it, and that has been told.
void note_owner_dead(std::uint64_t lock);
// `owner` (0: unknown) or somebody else holds what this thread has just released, at `site`.
void release_for_another(std::uint64_t lock, LockKind kind, std::uint32_t owner, std::uint64_t site,
                         bool owner_counts);

// The thread's slot, with room for one more hold: beyond its places that takes a ledger.
inline ThreadSlot* roomy_slot() {
  ThreadSlot* const slot = attach_current();
  if (slot != nullptr && ledger() == nullptr &&
      depth_of(slot->state.load(std::memory_order_relaxed)) == kInlineHolds) {
    begin_watching();
  }
  return current_slot;
}

// Records a hold and the order that it makes.
inline void push_in_order(ThreadSlot& slot, const NewHold& hold, std::uint8_t phase) {
  HoldStack stack(slot, ledger());
  const bool nested = depth_of(slot.state.load(std::memory_order_relaxed)) != 0;
  if (nested && (hold.traits & (hold_trait::kTry | hold_trait::kAgain)) == 0) {
    const std::uint64_t path = stack.path_with(hold.lock, hold.traits);
    if (slot.seen[seen_place(path)].load(std::memory_order_relaxed) != path)
      note_order(slot, path, hold);
  }
  stack.push(hold, phase, tick_now());
}

// The real function has answered for a hold in phase kAcquiring.
inline void settle(ThreadSlot& slot, std::uint64_t lock, int answer) {
  HoldStack stack(slot, ledger());
  if (acquired(answer)) {
    stack.take_again(lock, tick_now());
  } else {
    const Hold* const intent = answer == EDEADLK ? stack.find(lock) : nullptr;
    const std::uint64_t site = intent == nullptr ? 0 : intent->site.load(std::memory_order_relaxed);
    stack.remove(lock);
    if (site != 0)
      note_refusal(static_cast<std::uint8_t>(site >> kTraitShift), lock, site & kSiteMask);
  }
  if (answer == EOWNERDEAD) note_owner_dead(lock);
}

// A lock that looks taken: the wait is told, with registers and a precise time, then the real call
// blocks.
template <typename Kind, auto& kReal, std::uint8_t kTraits, typename... Args>
[[gnu::noinline]] int take_blocked(typename Kind::Lock* lock, CallSite from, Args... args) {
  if (ledger() == nullptr) begin_watching();
  ThreadSlot* const slot = current_slot;
  if (slot == nullptr) return real::call(kReal)(lock, args...);
  // All that can be done before the lock is held is done now: later it would make others wait.
  LockRecord* const record = note_contention(*slot, Kind::kKind, address_of(lock), from.pc);
  const std::uint32_t tick = tick_now();
  WaitScope wait(slot->wait,
                 {Kind::kWait, address_of(lock), 0, from.pc, kTraits, monotonic_ns(), tick});
  IMPASSE_SAVE_REGISTERS(wait.registers());
  wait.publish();
  const int answer = real::call(kReal)(lock, args...);
  wait.end();
  if (acquired(answer)) {
    const ErrnoKept errno_kept;
    push_in_order(*slot, {address_of(lock), from.pc, from.stack_pointer, kTraits},
                  hold_phase::kHeld);
    if (record != nullptr && tick_now() != tick) note_long_wait(*slot, *record, tick_now() - tick);
    if (answer == EOWNERDEAD) note_owner_dead(address_of(lock));
  } else if (answer == EDEADLK) {
    note_refusal(kTraits, address_of(lock), from.pc);
  }
  return answer;
}

template <auto& kReal, std::uint8_t kTraits, typename Lock, typename... Args>
[[gnu::noinline]] int take_once_more(Lock* lock, CallSite from, Args... args) {
  ThreadSlot& slot = *current_slot;
  constexpr std::uint8_t kAgain = kTraits | hold_trait::kAgain;
  {
    const ErrnoKept errno_kept;
    HoldStack(slot, ledger())
        .push({address_of(lock), from.pc, from.stack_pointer, kAgain}, hold_phase::kAcquiring,
              tick_now());
  }
  const int answer = real::call(kReal)(lock, args...);
  settle(slot, address_of(lock), answer);
  return answer;
}

// Everything else: for each state of thread and lock the right way to take it.
template <typename Kind, auto& kReal, std::uint8_t kTraits, typename... Args>
[[gnu::noinline]] int take_with_care(typename Kind::Lock* lock, CallSite from, Args... args) {
  ThreadSlot* const slot = roomy_slot();
  if (slot == nullptr) return real::call(kReal)(lock, args...);
  if ((slot->state.load(std::memory_order_relaxed) & kMailWaiting) != 0)
    HoldStack(*slot, ledger()).read_mail();
  if (Kind::taken_again(lock, slot->tid.load(std::memory_order_relaxed))) {
    return take_once_more<kReal, kTraits>(lock, from, args...);
  }
  if (Kind::is_taken(lock)) return take_blocked<Kind, kReal, kTraits>(lock, from, args...);
  {
    const ErrnoKept errno_kept;
    push_in_order(*slot, {address_of(lock), from.pc, from.stack_pointer, kTraits},
                  hold_phase::kAcquiring);
  }
  const int answer = real::call(kReal)(lock, args...);
  settle(*slot, address_of(lock), answer);
  return answer;
}

// Where the hot path refuses, also because this thread's locks are counted: a detour then.
template <typename Kind, auto& kReal, std::uint8_t kTraits, typename... Args>
[[gnu::noinline]] int take_slowly(typename Kind::Lock* lock, CallSite from, Args... args) {
  if (is_counted(current_slot)) return take_counted<Kind, kReal, kTraits>(lock, from, args...);
  return take_with_care<Kind, kReal, kTraits>(lock, from, args...);
}

// A try function has answered, and not as usual.
template <typename Kind, std::uint8_t kTraits>
[[gnu::noinline]] int tried(typename Kind::Lock* lock, CallSite from, int answer) {
  if (!acquired(answer)) return answer;
  if (answer == 0 && is_counted(current_slot) && !Kind::has_levels(lock) &&
      (current_slot->state.load(std::memory_order_relaxed) & ~kCounted & kRefuseMask) <
          kInlineHolds) {
    return tried_counted<Kind, kTraits>(lock, from);
  }
  ThreadSlot* const slot = roomy_slot();
  if (slot == nullptr) return answer;
  const ErrnoKept errno_kept;
  const auto traits = static_cast<std::uint8_t>(kTraits | hold_trait::kTry |
                                                (Kind::has_levels(lock) ? hold_trait::kAgain : 0));
  push_in_order(*slot, {address_of(lock), from.pc, from.stack_pointer, traits}, hold_phase::kHeld);
  if (is_counted(slot)) count_taken(address_of(lock), from.pc, kTraits, kNoWait);
  if (answer == EOWNERDEAD) note_owner_dead(address_of(lock));
  return answer;
}

// Not a hold of this thread, as far as its places tell.
template <typename Kind, auto& kReal>
[[gnu::noinline]] int release_with_care(typename Kind::Lock* lock) {
  ThreadSlot* const slot = attach_current();
  if (slot == nullptr) return real::call(kReal)(lock);
  HoldStack stack(*slot, ledger());
  if ((slot->state.load(std::memory_order_relaxed) & kMailWaiting) != 0) stack.read_mail();
  if (stack.remove(address_of(lock))) return real::call(kReal)(lock);
  const auto site = reinterpret_cast<std::uint64_t>(__builtin_return_address(0));
  const std::uint32_t owner = Kind::owner(lock);
  const bool owner_counts = Kind::owner_counts(lock);
  const bool was_free = Kind::is_plainly_free(lock);
  const int answer = real::call(kReal)(lock);
  if (was_free && answer == 0) {
    note_misuse({MisuseKind::kUnlockOfFree, Kind::kKind, address_of(lock), site});
  } else if (answer == 0 && owner != slot->tid.load(std::memory_order_relaxed)) {
    release_for_another(address_of(lock), Kind::kKind, owner, site, owner_counts);
  }
  return answer;
}

template <typename Kind, auto& kReal>
[[gnu::noinline]] int release_slowly(typename Kind::Lock* lock) {
  if (is_counted(current_slot)) return release_counted<Kind, kReal>(lock);
  return release_with_care<Kind, kReal>(lock);
}

// Not the newest hold of this thread: mostly one below it.
template <typename Kind, auto& kReal>
[[gnu::noinline]] int release_below(typename Kind::Lock* lock) {
  ThreadSlot& slot = *current_slot;
  const std::uint64_t state = slot.state.load(std::memory_order_relaxed);
  const std::uint64_t depth = depth_of(state);
  if (depth == 0) [[unlikely]]
    return release_slowly<Kind, kReal>(lock);
  // The oldest is a good guess, unless there may be a newer level of the same lock.
  std::uint64_t i = 0;
  if (slot.holds[0].lock.load(std::memory_order_relaxed) != address_of(lock) || depth < 2 ||
      Kind::has_levels(lock)) {
    i = depth - 1;
    do {
      if (i-- == 0) return release_slowly<Kind, kReal>(lock);
    } while (slot.holds[i].lock.load(std::memory_order_relaxed) != address_of(lock));
  }
  take_out(slot, state, i, depth);
  return real::call(kReal)(lock);
}

}  // namespace impasse
