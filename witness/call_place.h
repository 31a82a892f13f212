// A call with its nearest callers, as a hash: what tells two uses of one wrapper apart.
//
// Promises: a pure function; the same for the same code wherever it is loaded, where `identity`
// says so.
#pragma once

#include <cstddef>
#include <cstdint>

#include "symbolize/stack.h"

namespace impasse::witness {

// Frames that make a place. A lock's wrapper in a wrapper of the library in code that was not
// optimized: four.
inline constexpr std::uint32_t kFramesOfPlace = 4;

inline std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e37'79b9'7f4a'7c15;
  return hash ^ (hash >> 29);
}

// Of the call at `site`, made by the frame `frame` of the stack; of the site alone where that frame
// is not on it. identity(pc) stands for a program counter.
template <typename Identity>
std::uint64_t call_place(std::uint64_t site, const symbolize::Stack& stack, std::size_t frame,
                         Identity identity) {
  std::uint64_t hash = mix(1, identity(site));
  for (std::size_t i = frame + 1; i < frame + kFramesOfPlace && i < stack.frames.size(); ++i) {
    hash = mix(hash, identity(stack.frames[i].pc));
  }
  return hash;
}

}  // namespace impasse::witness
