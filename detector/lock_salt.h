// Lock addresses are used again: a freed object's mutex and the next object's stand at the same
// place. What a thread has learned about an address (its table of seen orders) must not outlive the
// lock. Every hash over a lock takes in a salt that changes when a lock that matters dies; a few
// hundred locks share one, which costs them a second look.
#pragma once

#include <atomic>
#include <cstdint>

namespace impasse {

inline constexpr unsigned kSalts = 512;
struct alignas(64) LockSalts {
  std::atomic<std::uint64_t> value[kSalts];
};
extern constinit LockSalts lock_salts __attribute__((visibility("hidden")));

inline std::atomic<std::uint64_t>& salt_of(std::uint64_t address) {
  return lock_salts.value[(address >> 3) & (kSalts - 1)];
}
inline void change_salt(std::uint64_t address) {
  salt_of(address).fetch_add(0xd6e8'feb8'6659'fd93, std::memory_order_relaxed);
}

}  // namespace impasse
