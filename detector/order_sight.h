// What a program's thread tells of the lock order, as plain values: it took a lock while it held
// others; a thread was born, was joined.
//
// Promises: plain data, no dependency on the ledger. `moment` is one sequence for the whole process
// (births, joins and sights draw their number from the same counter): a smaller one came earlier.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "detector/words.h"

namespace impasse {

// Threads are counted from 1 in the order in which they were made; a number is never used again.
using ThreadNumber = std::uint32_t;

// One life of one lock. The address alone is not enough: memory is used again.
struct LockLife {
  std::uint64_t address = 0;
  std::uint32_t record = 0;      // its place in the ledger's records
  std::uint32_t generation = 0;  // of that record; odd

  friend auto operator<=>(const LockLife&, const LockLife&) = default;
};

inline constexpr std::uint32_t kNoFrame = 0xffff'ffff;

struct SightedLock {
  LockLife life;
  std::uint64_t site = 0;       // program counter of the call
  std::uint64_t birth = 0;      // where the lock was born: its init call's or its first use's site
  std::uint64_t place = 0;      // of the call with its nearest callers, as a hash; 0: not known
  std::uint32_t stack_low = 0;  // low half of the stack pointer there; 0: not known
  std::uint32_t tick = 0;       // the watchdog's clock when it was taken
  std::uint32_t frame = kNoFrame;  // of the sight's stack, in which it was taken
  ThreadNumber stack_of = 0;  // whose stack it lies on, if that told; 0: on another's, or on none
  LockKind kind = LockKind::kMutex;
  bool shared = false;
  bool tried = false;            // by a try function
  bool timed = false;            // by a function with a time limit
  bool prefers_writers = false;  // a waiting writer keeps new readers of this lock out
  bool on_stack = false;         // it lies on the stack of the thread that told

  friend bool operator==(const SightedLock&, const SightedLock&) = default;
};

// `wanted` was taken, or is about to be, by a thread that had all of `held`.
struct OrderSight {
  ThreadNumber thread = 0;
  std::uint32_t tid = 0;
  std::string name;  // of the thread then
  std::uint64_t moment = 0;
  std::uint64_t when_ns = 0;  // CLOCK_MONOTONIC
  std::uint64_t path = 0;     // names it in the set of known orders, together with the thread
  SightedLock wanted;
  std::vector<SightedLock> held;  // oldest first
  std::uint32_t stack = 0;        // the thread's stack then: number in the depot; 0: none
  bool again = false;             // the mutex of a condition wait, to be taken again
};

struct LifeEvent {
  enum class Kind : std::uint8_t { kBorn, kJoined, kEnded };
  Kind kind = Kind::kBorn;
  ThreadNumber thread = 0;  // kJoined: 0, when only its handle is known
  ThreadNumber other = 0;   // its maker, or who joined it; 0: not known
  std::uint64_t moment = 0;
  std::uint64_t handle = 0;         // pthread_t; the same one may serve a later thread
  std::uint64_t stack_pointer = 0;  // kBorn: its maker's when it made it; 0: not known
};

}  // namespace impasse
