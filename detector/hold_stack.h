// What a thread holds: a stack of 64 holds in its slot and a table beyond. The hot path pushes and
// pops by itself (see interpose/hot_path.h); here is the shared arithmetic and everything that is
// rarer than a push or a pop on top.
//
// Promises: only the owning thread changes a stack (others leave a letter in its mailbox); every
// step may be interrupted by a signal handler that itself locks and unlocks; no allocation, no
// system call except for memory of a deep table. Costs: nanoseconds; remove() is linear in the
// holds of the thread, at most 64.
#pragma once

#include <bit>
#include <cstdint>

#include "detector/ledger.h"
#include "detector/lock_salt.h"

namespace impasse {

// A push in the making, as an interposer describes it.
struct NewHold {
  std::uint64_t lock;
  std::uint64_t site;           // program counter
  std::uint64_t stack_pointer;  // of the caller
  std::uint8_t traits;          // hold_trait
};

inline std::uint64_t depth_of(std::uint64_t state) {
  return state & kDepthMask;
}

// Hash of one lock as it is now (mode and life included) …
inline std::uint64_t lock_key(std::uint64_t lock, std::uint8_t traits) {
  constexpr std::uint8_t kOrderTraits = hold_trait::kShared;
  return lock + salt_of(lock).load(std::memory_order_relaxed) + (traits & kOrderTraits);
}
// … and of it on top of everything below. Not linear: arrays of locks would collide.
inline std::uint64_t extend_path(std::uint64_t below, std::uint64_t key) {
  return (std::rotl(below, 23) ^ key) * 0x9e37'79b9'7f4a'7c15;
}
inline std::uint64_t seen_place(std::uint64_t path) {
  return path >> 54;
}
static_assert(kSeenOrders == 1u << (64 - 54));

inline std::uint64_t site_word(std::uint64_t pc, std::uint8_t traits, std::uint8_t phase) {
  return pc | std::uint64_t{traits} << kTraitShift | std::uint64_t{phase} << kPhaseShift;
}

// The phase alone, in one byte store: the site word's other bytes do not change while the hold
// lives.
inline void set_phase(Hold& hold, std::uint8_t phase) {
  auto* byte = reinterpret_cast<std::uint8_t*>(&hold.site) + 7;
  __atomic_store_n(byte, phase, __ATOMIC_RELEASE);
}
inline std::uint8_t phase_of(const Hold& hold) {
  return static_cast<std::uint8_t>(hold.site.load(std::memory_order_relaxed) >> kPhaseShift);
}

// Takes the hold at this place out from below others: they move down by one, and their paths change
// with what lies below them. `state` and `depth` are the slot's now, without kRearranging.
inline void take_out(ThreadSlot& slot, std::uint64_t state, std::uint64_t index,
                     std::uint64_t depth) {
  // Plain stores: what another thread marks meanwhile (mail) may be lost, which mail allows for.
  slot.state.store((state + kStateStep) | kRearranging, std::memory_order_release);  // INV-HOLD-2
  Hold* to = &slot.holds[index];
  Hold* const last = &slot.holds[depth - 1];
  std::uint64_t below = 0;
  const auto move_down = [&](auto path_on) {
    const std::uint64_t lock = to[1].lock.load(std::memory_order_relaxed);
    const std::uint64_t site = to[1].site.load(std::memory_order_relaxed);
    below = path_on(lock, static_cast<std::uint8_t>(site >> kTraitShift));
    to->site.store(site, std::memory_order_relaxed);
    to->stamp.store(to[1].stamp.load(std::memory_order_relaxed), std::memory_order_relaxed);
    to->path.store(below, std::memory_order_relaxed);
    to->lock.store(lock, std::memory_order_release);
    ++to;
  };
  if (index == 0) {
    move_down([](std::uint64_t lock, std::uint8_t traits) { return lock_key(lock, traits); });
  } else {
    below = to[-1].path.load(std::memory_order_relaxed);
  }
  while (to != last) {
    move_down([below](std::uint64_t lock, std::uint8_t traits) {
      const bool again = (traits & hold_trait::kAgain) != 0;
      return again ? below : extend_path(below, lock_key(lock, traits));
    });
  }
  last->lock.store(0, std::memory_order_release);
  // Read again: a signal handler may have locked and unlocked on top.
  slot.state.store(slot.state.load(std::memory_order_relaxed) + kStateStep - kRearranging - 1,
                   std::memory_order_release);
}

class HoldStack {
 public:
  // `ledger` is null while the thread is alone and no ledger exists.
  HoldStack(ThreadSlot& slot, Ledger* ledger) : slot_(slot), ledger_(ledger) {}

  // Adds a hold in the given phase; beyond kInlineHolds into the deep table.
  void push(const NewHold& hold, std::uint8_t phase, std::uint32_t tick);
  // Takes the newest hold of this lock off. False: this thread has none.
  bool remove(std::uint64_t lock);

  // The newest hold of the lock is given back for a while (false: this thread has none) / is held
  // from now on.
  bool give_back(std::uint64_t lock);
  void take_again(std::uint64_t lock, std::uint32_t tick);

  // Takes off what other threads released.
  void read_mail();
  // Leaves word that this stack's hold of `lock` was released by another thread. False: the mailbox
  // is full.
  static bool post(ThreadSlot& to, std::uint64_t lock);

  // This thread has seen this path from now on.
  void remember(std::uint64_t path) {
    slot_.seen[seen_place(path)].store(path, std::memory_order_relaxed);
    slot_.seen_dirty.store(1, std::memory_order_relaxed);
  }

  Hold* find(std::uint64_t lock);
  // The path that a lock taken now would have.
  std::uint64_t path_with(std::uint64_t lock, std::uint8_t traits);

 private:
  ThreadSlot& slot_;
  Ledger* ledger_;
};

}  // namespace impasse
