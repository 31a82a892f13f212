// Says for a page of the program's memory whether a lock that matters may live in it, so that
// free() of anything else costs two loads. Counts saturate: a page that ever had 255 such locks at
// once stays marked.
#pragma once

#include <atomic>
#include <cstdint>

namespace impasse {

struct alignas(64) PageFilter {
  static constexpr std::uint64_t kPlaces = 65'536;
  std::atomic<std::uint8_t> count[kPlaces + 1];  // the last stands for the first, for looks at two

  static std::uint64_t place(std::uint64_t address) { return (address >> 12) & (kPlaces - 1); }
  bool may_hold_locks(std::uint64_t address) const {
    return count[place(address)].load(std::memory_order_relaxed) != 0;
  }
  // This page or the next, in one look.
  bool may_hold_locks_here_or_next(std::uint64_t address) const {
    std::uint16_t both = 0;
    __builtin_memcpy(&both, &count[place(address)], sizeof both);
    return both != 0;
  }
  void add(std::uint64_t address) {
    change(address,
           [](std::uint8_t n) { return static_cast<std::uint8_t>(n == 255 ? 255 : n + 1); });
  }
  void remove(std::uint64_t address) {
    change(address, [](std::uint8_t n) {
      return static_cast<std::uint8_t>(n == 255 || n == 0 ? n : n - 1);
    });
  }

 private:
  template <typename Step>
  void change(std::uint64_t address, Step step) {
    std::atomic<std::uint8_t>& place_count = count[place(address)];
    std::uint8_t seen = place_count.load(std::memory_order_relaxed);
    while (!place_count.compare_exchange_weak(seen, step(seen), std::memory_order_relaxed)) {
    }
    if (place(address) == 0)
      count[kPlaces].store(count[0].load(std::memory_order_relaxed), std::memory_order_relaxed);
  }
};
extern constinit PageFilter lock_pages __attribute__((visibility("hidden")));

}  // namespace impasse
