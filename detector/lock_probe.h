// What a lock says about itself. The detector knows no lock's type: whoever does hands this to it.
#pragma once

#include <cstdint>

#include "detector/words.h"

namespace impasse {

// What a lock says about itself. The detector knows no lock's type: this is handed to it.
struct LockState {
  bool readable = false;         // false: its memory is gone, or not known; nothing below counts
  std::uint32_t owner = 0;       // tid of the holder of a mutex or of the writer; 0: none
  std::uint32_t readers = 0;     // how many hold it shared
  bool prefers_writers = false;  // a waiting writer keeps new readers out
  bool between_processes = false;
  bool robust = false;  // libc tells the next one that the holder died
  bool recursive = false;
};
using LockProbe = LockState (*)(std::uint64_t lock, LockKind kind);

}  // namespace impasse
