// A lock-free last-in-first-out list of numbers, safe against a number that leaves and comes back
// while another thread looks (the head carries a count of changes). `Next` gives the link word of a
// number.
#pragma once

#include <atomic>
#include <cstdint>

namespace impasse::free_stack {

template <typename Next>
void push(std::atomic<std::uint64_t>& head, std::uint32_t number, Next next) {
  std::uint64_t seen = head.load(std::memory_order_relaxed);
  do {
    next(number).store(static_cast<std::uint32_t>(seen), std::memory_order_relaxed);
  } while (!head.compare_exchange_weak(seen, ((seen >> 32) + 1) << 32 | (number + 1),
                                       std::memory_order_acq_rel));
}

// The number, or -1 when the list is empty.
template <typename Next>
std::int64_t pop(std::atomic<std::uint64_t>& head, Next next) {
  std::uint64_t seen = head.load(std::memory_order_acquire);
  for (;;) {
    const auto first = static_cast<std::uint32_t>(seen);
    if (first == 0) return -1;
    const auto rest = static_cast<std::uint32_t>(next(first - 1).load(std::memory_order_relaxed));
    if (head.compare_exchange_weak(seen, ((seen >> 32) + 1) << 32 | rest,
                                   std::memory_order_acq_rel)) {
      return first - 1;
    }
  }
}

}  // namespace impasse::free_stack
