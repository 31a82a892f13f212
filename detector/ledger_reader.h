// Reads a ledger that nobody vouches for: the file of a live process that goes on writing, what a
// killed one left behind, or any file that looks like one.
//
// Promises: every number from the ledger is checked before it is used; work and memory are bounded
// whatever the ledger says (kMostSlots and the constants below); the ledger's owner is neither
// stopped nor written to. May allocate.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "detector/ledger_layout.h"
#include "detector/snapshot.h"

namespace impasse {

// Where the bytes of a ledger come from.
class LedgerSource {
 public:
  // All of [offset, offset + bytes), or false. What is being written may come out half old, half
  // new.
  virtual bool read(std::uint64_t offset, void* buffer, std::size_t bytes) = 0;
  virtual std::uint64_t size() = 0;

 protected:
  ~LedgerSource() = default;
};

// More than any ledger has: a header that says more is damaged.
inline constexpr std::uint64_t kMostSlots = 1u << 17;
inline constexpr std::uint64_t kMostLocks = 1u << 22;
inline constexpr std::uint64_t kMostDepartures = 1u << 17;
inline constexpr std::uint64_t kMostIncidents = 1u << 12;
inline constexpr std::uint64_t kMostSights = 1u << 12;
inline constexpr std::uint64_t kMostLives = 1u << 16;
inline constexpr std::uint64_t kMostCalls = 1u << 16;
inline constexpr std::uint64_t kMostStats = 1u << 16;
inline constexpr std::uint64_t kMostLedgerBytes = std::uint64_t{1} << 36;
// More than a snapshot keeps; what is left out is counted in it.
inline constexpr std::size_t kMostHoldsKept = 1u << 20;
inline constexpr std::size_t kContendedLocksKept = 32;
inline constexpr std::uint64_t kMostDeepBytesRead = std::uint64_t{1}
                                                    << 28;  // of all threads together
// Looks at one thread before it is taken as one that does not stand still.
inline constexpr unsigned kLooks = 6;

struct LedgerReading {
  std::string problem;  // a sentence; empty: `snapshot` is what was read
  Snapshot snapshot;
  std::array<Region, kRegions> regions{};  // where its parts are; checked
};

// What of a ledger is wanted.
struct LedgerParts {
  bool locks = true;  // the records of locks: there may be a million
};

LedgerReading read_ledger(LedgerSource& source, const LedgerParts& parts = {});

}  // namespace impasse
