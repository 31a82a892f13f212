// Times as a histogram: how long locks were waited for, and held.
//
// Promises: pure arithmetic, no allocation. Two buckets an octave: a time stands for one that is at
// most half as long again. A unit is a cycle of the processor's time stamp counter; whoever shows
// times knows how long a cycle is.
#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>

namespace impasse {

inline constexpr unsigned kStatBuckets = 80;
// Everything below stands in the first bucket.
inline constexpr unsigned kStatFirstOctave = 5;

constexpr unsigned stat_bucket(std::uint64_t cycles) {
  if (cycles < (std::uint64_t{1} << kStatFirstOctave)) return 0;
  const auto octave = static_cast<unsigned>(std::bit_width(cycles)) - 1;
  const auto upper_half = static_cast<unsigned>(cycles >> (octave - 1)) & 1;
  return std::min(1 + 2 * (octave - kStatFirstOctave) + upper_half, kStatBuckets - 1);
}

// The least time of a bucket.
constexpr std::uint64_t stat_bucket_start(unsigned bucket) {
  if (bucket == 0) return 0;
  const unsigned half_octaves = bucket - 1;
  return std::uint64_t{2 + (half_octaves & 1)} << (kStatFirstOctave + half_octaves / 2 - 1);
}

// The processor's clock. Not a serializing read: it may be off by some ten cycles.
inline std::uint64_t cycles_now() {
  return __builtin_ia32_rdtsc();
}

}  // namespace impasse
