// Adding to a word that nobody else writes: in one instruction, so that no signal handler of the
// same thread comes between, and without the price of one that several threads may do at once.
#pragma once

#include <atomic>
#include <cstdint>

namespace impasse {

inline void add_here(std::atomic<std::uint64_t>& word, std::uint64_t n) {
  __asm__("addq %1, %0" : "+m"(reinterpret_cast<std::uint64_t&>(word)) : "er"(n) : "cc");
}

inline void add_here(std::atomic<std::uint32_t>& word, std::uint32_t n) {
  __asm__("addl %1, %0" : "+m"(reinterpret_cast<std::uint32_t&>(word)) : "ir"(n) : "cc");
}

}  // namespace impasse
