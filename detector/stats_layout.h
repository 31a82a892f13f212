// The bytes of the numbers that stats=on collects: a block for each thread, and the rows that
// blocks are poured into.
//
// Promises: plain records, as in ledger_layout.h. A block is written by its thread alone; rows by
// any thread, with atomic additions. A row, or an entry of a block, is one lock taken from one
// place of the program; lock 0 stands for all locks of the place that found no room.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "detector/stats_times.h"

namespace impasse {

struct StatTimes {
  std::atomic<std::uint64_t> count;  // of all buckets
  std::atomic<std::uint64_t> sum;    // cycles
  std::atomic<std::uint64_t> most;   // cycles
  std::atomic<std::uint64_t> buckets[kStatBuckets];
};
static_assert(sizeof(StatTimes) == 664);

struct StatEntry {
  std::atomic<std::uint64_t> lock;  // address
  std::atomic<std::uint64_t> site;  // program counter | hold_trait << 48; 0: a free entry
  std::atomic<std::uint64_t> acquisitions;
  std::atomic<std::uint32_t> hold;  // number of its StatTimes + 1; 0: none yet
  std::atomic<std::uint32_t> wait;  // likewise; as many as waited
};
static_assert(sizeof(StatEntry) == 32);

// A hold whose length is measured: beside the hold of the same place in the stack of holds.
struct StatSample {
  std::atomic<std::uint64_t> lock;    // 0: it is not measured
  std::atomic<std::uint64_t> site;    // as in StatEntry
  std::atomic<std::uint64_t> since;   // cycles
  std::atomic<std::uint64_t> weight;  // so many acquisitions it stands for
};
static_assert(sizeof(StatSample) == 32);

inline constexpr unsigned kStatWays = 4;
inline constexpr unsigned kStatEntries = 256;  // a power of two
inline constexpr unsigned kStatTimesInline = 8;
inline constexpr unsigned kStatTimesAPage = 6;
inline constexpr unsigned kStatTimePages = 64;
inline constexpr unsigned kStatTimesMost = kStatTimesInline + kStatTimesAPage * kStatTimePages;
inline constexpr unsigned kStatSamples = 64;  // as many as a slot has places for holds

struct StatBlock {
  std::atomic<std::uint32_t> countdown;  // acquisitions until one is measured
  std::atomic<std::uint32_t> period;     // what it began with
  std::atomic<std::uint32_t> last_tick;  // of the watchdog's clock when one was measured
  std::atomic<std::uint32_t> busy;       // the block is being rearranged
  std::atomic<std::uint64_t> random;
  std::atomic<std::uint32_t> crowded;  // acquisitions that found no entry, so far
  std::atomic<std::uint32_t> times_used;
  std::atomic<std::uint64_t> pages[kStatTimePages];  // offsets in the ledger
  StatSample samples[kStatSamples];
  StatEntry entries[kStatEntries];
  StatTimes times[kStatTimesInline];
};
inline constexpr unsigned kStatBlockClass = 2;  // so many pages, as a power of two
static_assert(sizeof(StatBlock) <= std::size_t{4096} << kStatBlockClass);

struct alignas(64) StatRow {
  std::atomic<std::uint64_t> lock;
  std::atomic<std::uint64_t> site;
  std::atomic<std::uint64_t> acquisitions;
  std::atomic<std::uint64_t> reserved;
  StatTimes hold;
  StatTimes wait;
};
static_assert(sizeof(StatRow) == 1408);
// Memory of rows is taken into use in steps that are whole pages.
inline constexpr std::uint64_t kStatRowsAStep = 32;
static_assert(kStatRowsAStep * sizeof(StatRow) % 4096 == 0);

// Where one lock at one place of the program belongs, in 64 bits.
constexpr std::uint64_t stat_hash(std::uint64_t lock, std::uint64_t site) {
  return (lock ^ (site << 7 | site >> 57)) * 0x9e37'79b9'7f4a'7c15;
}

}  // namespace impasse
