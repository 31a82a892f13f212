// The calls that may block, as numbers and as words: blocking_calls.def.
// Promises: plain data; a number is what CallRecord::site has above the program counter.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "detector/ledger_layout.h"

namespace impasse {

enum class BlockingCall : std::uint8_t {
#define IMPASSE_BLOCKING_CALL(name) k_##name,
#include "detector/blocking_calls.def"
#undef IMPASSE_BLOCKING_CALL
};

inline constexpr std::string_view kBlockingCallWords[] = {
#define IMPASSE_BLOCKING_CALL(name) #name,
#include "detector/blocking_calls.def"
#undef IMPASSE_BLOCKING_CALL
};
inline constexpr std::size_t kBlockingCalls = std::size(kBlockingCallWords);

constexpr std::string_view word_of(BlockingCall call) {
  return kBlockingCallWords[static_cast<std::size_t>(call)];
}

// The call that libc's function of this name makes; kBlockingCalls: none of them.
constexpr std::size_t blocking_call_named(std::string_view symbol) {
  if (symbol.starts_with("__")) symbol.remove_prefix(2);
  for (const std::string_view ending : {"_chk", "_2", "64"}) {
    if (symbol.ends_with(ending)) symbol.remove_suffix(ending.size());
  }
  std::size_t i = 0;
  while (i < kBlockingCalls && kBlockingCallWords[i] != symbol) ++i;
  return i;
}

constexpr std::uint64_t call_word(BlockingCall call, std::uint64_t pc) {
  return (pc & kSiteMask) | std::uint64_t{static_cast<std::uint8_t>(call)} << kTraitShift;
}

}  // namespace impasse
