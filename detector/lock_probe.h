// What a lock says about itself, and what the kernel says about who waits for it. The detector
// knows no lock's type and reads no file: whoever does hands these to it.
#pragma once

#include <cstdint>

#include "detector/words.h"

namespace impasse {

struct LockState {
  bool readable = false;         // false: its memory is gone, or not known; nothing below counts
  std::uint32_t owner = 0;       // tid of the holder of a mutex or of the writer; 0: none
  std::uint32_t readers = 0;     // how many hold it shared
  bool prefers_writers = false;  // a waiting writer keeps new readers out
  std::uint32_t tokens = 0;      // of a semaphore: posted and not yet taken
  bool between_processes = false;
  bool robust = false;  // libc tells the next one that the holder died
  bool recursive = false;
};
using LockProbe = LockState (*)(std::uint64_t lock, LockKind kind);

// Where a thread is, that is said to wait for a lock or for another thread's end.
enum class Sleep : std::uint8_t {
  kUnknown,
  kThere,      // asleep in the kernel, on a word of what it waits for
  kElsewhere,  // awake, or asleep in another call: in a signal handler, or its wait is over
};
using SleepProbe = Sleep (*)(std::uint32_t tid, WaitKind kind, std::uint64_t object);

}  // namespace impasse
