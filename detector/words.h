// The words of the ledger: what a hold is, what a wait is, in which modes.
// Promises: plain data, no dependency, the same bits in every process that reads a ledger.
#pragma once

#include <cstdint>

namespace impasse {

enum class LockKind : std::uint8_t { kMutex = 0, kRwlock = 1, kSpin = 2 };

// How a hold came to be: constant for a given interposed function, stored in bits 48..55 of
// Hold::site.
namespace hold_trait {
inline constexpr std::uint8_t kKindMask = 0x03;  // a LockKind
inline constexpr std::uint8_t kShared = 0x04;    // a reader's hold
inline constexpr std::uint8_t kTry = 0x08;       // by a try function: it could not have blocked
inline constexpr std::uint8_t kTimed = 0x10;     // by a timed function: it would have given up
inline constexpr std::uint8_t kAgain = 0x20;     // a further level of a recursive lock
}  // namespace hold_trait

// What the hold is now, stored in bits 56..63 of Hold::site.
namespace hold_phase {
inline constexpr std::uint8_t kHeld = 0;
inline constexpr std::uint8_t kAcquiring = 1;  // asked for; libc has not answered yet
inline constexpr std::uint8_t kGivenBack =
    2;  // released inside a condition wait, to be taken again
}  // namespace hold_phase

enum class WaitKind : std::uint8_t {
  kNone = 0,
  kMutex = 1,
  kRead = 2,
  kWrite = 3,
  kSpin = 4,
  kCondition = 5,  // object is the condition, partner the mutex that was given back
  kJoin = 6,       // object is the pthread_t of the thread that is waited for
};

// The registers that a blocked thread saves, in the order in which they are stored.
enum SavedRegister : unsigned { kRip, kRsp, kRbp, kRbx, kR12, kR13, kR14, kR15, kSavedRegisters };

enum class ThreadLife : std::uint32_t {
  kFree = 0,      // nobody's slot
  kStarting = 1,  // its thread is being created
  kLive = 2,
  kLeaving = 3,  // its function has returned or it called pthread_exit
};

enum class DepartureReason : std::uint32_t {
  kNone = 0,
  kThreadEnded = 1,  // the holder ended while holding
  kForked = 2,       // another thread of the parent held it when this process was forked
};

}  // namespace impasse
