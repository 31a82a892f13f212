// The kinds of findings, and the ways in which one thread can stand behind another.
// Promises: plain data, no dependency.
#pragma once

#include <cstdint>

namespace impasse {

enum class FindingKind : std::uint8_t {
  kDump,          // nothing was found: somebody asked
  kDeadlock,      // threads wait for each other in a circle
  kSelfDeadlock,  // a thread waits for what it holds itself
  kOrphanedLock,  // the holder of a lock that is waited for is gone
  kLongWait,      // a wait for a lock past the threshold
  kMisuse,        // a rule of the lock was broken
};

// As reports and scripts call it.
constexpr const char* finding_word(FindingKind kind) {
  switch (kind) {
    case FindingKind::kDump:
      return "dump";
    case FindingKind::kDeadlock:
      return "deadlock";
    case FindingKind::kSelfDeadlock:
      return "self_deadlock";
    case FindingKind::kOrphanedLock:
      return "orphaned_lock";
    case FindingKind::kLongWait:
      return "long_wait";
    case FindingKind::kMisuse:
      return "misuse";
  }
  return "";
}

enum class MisuseKind : std::uint8_t {
  kNone,
  kUnlockByOther,     // unlocked by a thread that does not hold it
  kUnlockOfFree,      // unlocked while nobody held it
  kDestroyWhileHeld,  // destroyed while held
  kExitWhileHolding,  // a thread ended while holding
  kRefusedRelock,     // asked for by its own holder; libc refused (EDEADLK)
};

// Why a waiter is behind its blocker.
enum class LinkReason : std::uint8_t {
  kHolder,         // the blocker holds the lock
  kWaitingWriter,  // the blocker waits to write, and the lock's kind lets no new reader pass it
  kJoin,           // the blocker is to end
  kGone,           // the blocker held the lock and is gone
};

}  // namespace impasse
