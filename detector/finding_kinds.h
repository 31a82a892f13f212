// The kinds of findings, and the ways in which one thread can stand behind another.
// Promises: plain data, no dependency.
#pragma once

#include <cstdint>

namespace impasse {

enum class FindingKind : std::uint8_t {
  kDump,            // nothing was found: somebody asked
  kDeadlock,        // threads wait for each other in a circle
  kSelfDeadlock,    // a thread waits for what it holds itself
  kOrphanedLock,    // the holder of a lock that is waited for is gone
  kLongWait,        // a wait for a lock past the threshold
  kMisuse,          // a rule of the lock was broken
  kLockOrder,       // locks are taken in contradicting orders: a deadlock that has not happened yet
  kStuckCondition,  // who could signal a condition is stuck itself, every one of them
  kAllAsleep,       // every thread of the process waits for another one of it
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
    case FindingKind::kLockOrder:
      return "lock_order";
    case FindingKind::kStuckCondition:
      return "stuck_condition";
    case FindingKind::kAllAsleep:
      return "all_asleep";
  }
  return "";
}

// Why a lock_order finding weighs less than one that could hang as it stands.
enum class OrderDoubt : std::uint8_t {
  kNone,
  kTimed,   // a lock in it was asked for with a time limit
  kPhases,  // its parts were seen in phases of the program that creation and joining of threads
            // keep apart
  kClass,   // its parts were seen on different objects of one kind, never on the same
};

constexpr const char* doubt_word(OrderDoubt doubt) {
  switch (doubt) {
    case OrderDoubt::kNone:
      return "none";
    case OrderDoubt::kTimed:
      return "timed";
    case OrderDoubt::kPhases:
      return "phases";
    case OrderDoubt::kClass:
      return "class";
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
  kSignaller,      // the blocker used to signal the condition, or to post the semaphore
};

}  // namespace impasse
