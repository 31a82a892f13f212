// The numbers of a ledger (stats=on), gathered: of the threads that live and of those that have
// ended, row by row.
//
// Promises: as ledger_reader.h: any bytes are survived, the process is neither stopped nor written
// to. What moves from a thread to the shared rows while it is read is counted once: then it is read
// again, some times; `torn` says that it never stood still. May allocate.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "detector/ledger_reader.h"
#include "detector/stats_times.h"

namespace impasse {

// A histogram of cycles.
struct StatSums {
  std::uint64_t count = 0;
  std::uint64_t sum = 0;
  std::uint64_t most = 0;
  std::array<std::uint64_t, kStatBuckets> buckets{};

  void add(const StatSums& more);
  // The time that so many per mille did not exceed; exact to a bucket. 0: there are none.
  std::uint64_t quantile(unsigned per_mille) const;
};

// One lock, taken from one place of the program.
struct StatFact {
  std::uint64_t lock = 0;  // 0: several, for which there was no room
  std::uint64_t pc = 0;
  LockKind kind = LockKind::kMutex;
  bool shared = false;
  std::uint64_t acquisitions = 0;
  StatSums hold;
  StatSums wait;  // its count: acquisitions that had to wait

  void add(const StatFact& more);
};

struct StatsReading {
  std::string problem;     // a sentence; empty: the rest is what was read
  bool collected = false;  // the process was started with stats=on
  bool torn = false;
  std::vector<StatFact> facts;  // each lock at each place once
  double cycles_per_ns = 0;     // 0: not known
  std::uint64_t dropped = 0;
  std::string maps;  // the files that the process had mapped, as /proc/PID/maps tells it
};

// `reading` is what read_ledger() made of the same source.
StatsReading read_stats(LedgerSource& source, const LedgerReading& reading);
// `maps` alone; empty: this ledger does not have them.
std::string read_maps(LedgerSource& source, const LedgerReading& reading);

}  // namespace impasse
