// Which mutexes a thread has ever taken and which semaphores it has asked for, roughly: who has had
// a condition's mutex may have changed what is waited for, and be about to signal.
//
// Promises: nothing is forgotten as long as the thread lives; some addresses share a place, so that
// a thread may seem to have touched what it has not. Cost: one store.
#pragma once

#include <array>
#include <cstdint>

#include "detector/ledger_layout.h"

namespace impasse {

// As salt_of(): the hot path has it at hand.
inline std::uint64_t touched_place(std::uint64_t address) {
  return (address >> 3) & (kTouchedPlaces - 1);
}
inline void touch(ThreadSlot& slot, std::uint64_t address) {
  slot.touched[touched_place(address)].store(1, std::memory_order_relaxed);
}
inline void touch_all(ThreadSlot& slot, const ThreadSlot& as) {
  for (unsigned i = 0; i < kTouchedPlaces; ++i) {
    if (as.touched[i].load(std::memory_order_relaxed) != 0)
      slot.touched[i].store(1, std::memory_order_relaxed);
  }
}

// A bit for each place.
using TouchedPlaces = std::array<std::uint64_t, kTouchedPlaces / 64>;

inline void add_place(TouchedPlaces& places, std::uint64_t place) {
  places[place / 64] |= std::uint64_t{1} << (place % 64);
}

}  // namespace impasse
