// The words of the JSON form for what is an enumeration here: one table each, for writing and for
// reading.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "report/report.h"

namespace impasse::report {

template <typename Value>
struct Word {
  Value value;
  std::string_view word;
};

inline constexpr std::array<Word<FindingKind>, 9> kFindingWords = {{
    {FindingKind::kDump, "dump"},
    {FindingKind::kDeadlock, "deadlock"},
    {FindingKind::kSelfDeadlock, "self_deadlock"},
    {FindingKind::kOrphanedLock, "orphaned_lock"},
    {FindingKind::kLongWait, "long_wait"},
    {FindingKind::kMisuse, "misuse"},
    {FindingKind::kLockOrder, "lock_order"},
    {FindingKind::kStuckCondition, "stuck_condition"},
    {FindingKind::kAllAsleep, "all_asleep"},
}};
inline constexpr std::array<Word<OrderDoubt>, 4> kDoubtWords = {{
    {OrderDoubt::kNone, "none"},
    {OrderDoubt::kTimed, "timed"},
    {OrderDoubt::kPhases, "phases"},
    {OrderDoubt::kClass, "class"},
}};
inline constexpr std::array<Word<MisuseKind>, 6> kMisuseWords = {{
    {MisuseKind::kNone, "none"},
    {MisuseKind::kUnlockByOther, "unlock_by_other"},
    {MisuseKind::kUnlockOfFree, "unlock_of_free"},
    {MisuseKind::kDestroyWhileHeld, "destroy_while_held"},
    {MisuseKind::kExitWhileHolding, "exit_while_holding"},
    {MisuseKind::kRefusedRelock, "refused_relock"},
}};
inline constexpr std::array<Word<LinkReason>, 5> kReasonWords = {{
    {LinkReason::kHolder, "holder"},
    {LinkReason::kWaitingWriter, "waiting_writer"},
    {LinkReason::kJoin, "join"},
    {LinkReason::kGone, "gone"},
    {LinkReason::kSignaller, "signaller"},
}};
inline constexpr std::array<Word<SignalKind>, 3> kSignalWords = {{
    {SignalKind::kSignal, "signal"},
    {SignalKind::kBroadcast, "broadcast"},
    {SignalKind::kPost, "post"},
}};
inline constexpr std::array<Word<WaitKind>, 10> kWaitWords = {{
    {WaitKind::kNone, "none"},
    {WaitKind::kMutex, "mutex"},
    {WaitKind::kRead, "read"},
    {WaitKind::kWrite, "write"},
    {WaitKind::kSpin, "spin"},
    {WaitKind::kCondition, "condition"},
    {WaitKind::kJoin, "join"},
    {WaitKind::kSemaphore, "semaphore"},
    {WaitKind::kBarrier, "barrier"},
    {WaitKind::kOnce, "once"},
}};
inline constexpr std::array<Word<LockKind>, 7> kLockWords = {{
    {LockKind::kMutex, "mutex"},
    {LockKind::kRwlock, "rwlock"},
    {LockKind::kSpin, "spinlock"},
    {LockKind::kOnce, "once"},
    {LockKind::kCondition, "condition"},
    {LockKind::kSemaphore, "semaphore"},
    {LockKind::kBarrier, "barrier"},
}};
inline constexpr std::array<Word<Memory>, 5> kMemoryWords = {{
    {Memory::kUnknown, "unknown"},
    {Memory::kGlobal, "global"},
    {Memory::kHeap, "heap"},
    {Memory::kStack, "stack"},
    {Memory::kMapped, "mapped"},
}};
inline constexpr std::array<Word<std::uint8_t>, 3> kPhaseWords = {{
    {hold_phase::kHeld, "held"},
    {hold_phase::kAcquiring, "acquiring"},
    {hold_phase::kGivenBack, "given_back"},
}};
inline constexpr std::array<Word<symbolize::Grade>, 3> kGradeWords = {{
    {symbolize::Grade::kExact, "exact"},
    {symbolize::Grade::kChecked, "checked"},
    {symbolize::Grade::kGuessed, "guessed"},
}};
inline constexpr std::array<Word<system::ActivityKind>, 9> kStateWords = {{
    {system::ActivityKind::kUnknown, "unknown"},
    {system::ActivityKind::kInWait, "in_wait"},
    {system::ActivityKind::kInSystemCall, "in_system_call"},
    {system::ActivityKind::kInKernel, "in_kernel"},
    {system::ActivityKind::kRunning, "running"},
    {system::ActivityKind::kStopped, "stopped"},
    {system::ActivityKind::kGone, "gone"},
    {system::ActivityKind::kLeftBehind, "left_behind"},
    {system::ActivityKind::kStarting, "starting"},
}};

inline constexpr std::array<Word<bool>, 2> kModeWords = {{
    {false, "exclusive"},
    {true, "shared"},
}};

// A value that is in no table has the first word of it.
template <typename Table, typename Value>
constexpr std::string_view word_of(const Table& table, Value value) {
  for (const auto& row : table) {
    if (row.value == value) return row.word;
  }
  return table[0].word;
}

template <typename Value, std::size_t n>
constexpr std::optional<Value> value_of(const std::array<Word<Value>, n>& table,
                                        std::string_view word) {
  for (const auto& row : table) {
    if (row.word == word) return row.value;
  }
  return std::nullopt;
}

}  // namespace impasse::report
