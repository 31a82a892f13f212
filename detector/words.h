// The words of the ledger: what a hold is, what a wait is, in which modes.
// Promises: plain data, no dependency, the same bits in every process that reads a ledger.
#pragma once

#include <cstdint>

namespace impasse {

enum class LockKind : std::uint8_t {
  kMutex = 0,
  kRwlock = 1,
  kSpin = 2,
  kOnce = 3,  // held by the thread that runs the initializer
  // What nobody holds: others wake who waits for it.
  kCondition = 4,
  kSemaphore = 5,
  kBarrier = 6,
};
inline constexpr LockKind kLastLockKind = LockKind::kBarrier;

// Whether the kind has holders.
constexpr bool is_held(LockKind kind) {
  return kind <= LockKind::kOnce;
}

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
  kSemaphore = 7,
  kBarrier = 8,
  kOnce = 9,  // another thread runs the initializer
};
inline constexpr WaitKind kLastWaitKind = WaitKind::kOnce;

// What is waited for; a join is for no lock.
constexpr LockKind lock_kind(WaitKind kind) {
  switch (kind) {
    case WaitKind::kRead:
    case WaitKind::kWrite:
      return LockKind::kRwlock;
    case WaitKind::kSpin:
      return LockKind::kSpin;
    case WaitKind::kCondition:
      return LockKind::kCondition;
    case WaitKind::kSemaphore:
      return LockKind::kSemaphore;
    case WaitKind::kBarrier:
      return LockKind::kBarrier;
    case WaitKind::kOnce:
      return LockKind::kOnce;
    case WaitKind::kNone:
    case WaitKind::kMutex:
    case WaitKind::kJoin:
      break;
  }
  return LockKind::kMutex;
}

// How a thread woke others, stored in bits 48..55 of SignalRecord::site.
enum class SignalKind : std::uint8_t { kSignal = 0, kBroadcast = 1, kPost = 2 };

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
