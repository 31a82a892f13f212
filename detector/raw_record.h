// Bytes of a ledger that were copied out of it, taken apart: words at the offsets of
// ledger_layout.h, holds as facts. For the files that read ledgers; no check is needed beyond the
// bounds of the copy, which the caller guarantees.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>

#include "detector/ledger_layout.h"
#include "detector/snapshot.h"

namespace impasse::raw {

using Bytes = std::span<const std::byte>;

template <typename T>
T field(Bytes bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  return value;
}
inline std::uint64_t word(Bytes bytes, std::size_t offset) {
  return field<std::uint64_t>(bytes, offset);
}
inline std::uint32_t half(Bytes bytes, std::size_t offset) {
  return field<std::uint32_t>(bytes, offset);
}
// Up to the first 0, if there is one.
inline std::string text(Bytes bytes, std::size_t offset, std::size_t most) {
  const char* start = reinterpret_cast<const char*>(bytes.data()) + offset;
  return {start, strnlen(start, most)};
}

// The words of one hold, wherever it was stored.
struct RawHold {
  std::uint64_t lock = 0;
  std::uint64_t site = 0;
  std::uint64_t stamp = 0;
  std::uint64_t levels = 1;

  friend bool operator==(const RawHold&, const RawHold&) = default;
  bool is_again() const { return (site >> kTraitShift & hold_trait::kAgain) != 0; }
};

// False: no impasse writes such a hold.
inline bool decode(const RawHold& raw, HoldFact& hold) {
  const auto traits = static_cast<std::uint8_t>(raw.site >> kTraitShift);
  hold.lock = raw.lock;
  hold.site = raw.site & kSiteMask;
  hold.tick = static_cast<std::uint32_t>(raw.stamp);
  hold.stack_low = static_cast<std::uint32_t>(raw.stamp >> 32);
  hold.levels = raw.levels;
  hold.kind = static_cast<LockKind>(traits & hold_trait::kKindMask);
  hold.phase = static_cast<std::uint8_t>(raw.site >> kPhaseShift);
  hold.shared = (traits & hold_trait::kShared) != 0;
  hold.tried = (traits & hold_trait::kTry) != 0;
  hold.timed = (traits & hold_trait::kTimed) != 0;
  return is_held(hold.kind) && hold.phase <= hold_phase::kGivenBack && raw.levels != 0;
}

}  // namespace impasse::raw
