// What a thread waits for now, whether it wrote a wait down in full or left only its intent to take
// a lock (readers do: see interpose/hot_path.h).
//
// Promises: pure functions of a snapshot.
#pragma once

#include <cstdint>
#include <optional>

#include "detector/snapshot.h"

namespace impasse {

struct CurrentWait {
  WaitKind kind = WaitKind::kNone;
  std::uint64_t object = 0;
  std::uint64_t partner = 0;
  std::uint64_t site = 0;
  std::uint64_t place = 0;     // a wait_place(); 0: not known
  std::uint64_t since_ns = 0;  // 0: known to the watchdog's clock only
  std::uint64_t tick = 0;
  bool timed = false;
  bool in_handler = false;  // in a signal handler that interrupted another wait
  const HoldFact* intent = nullptr;
  // The same in two looks: the thread has been in this wait all the time in between.
  std::uint64_t mark = 0;

  bool for_lock() const {
    return kind == WaitKind::kMutex || kind == WaitKind::kRead || kind == WaitKind::kWrite ||
           kind == WaitKind::kSpin || kind == WaitKind::kOnce;
  }
  // For what others have to give, whoever they may be.
  bool for_signal() const { return kind == WaitKind::kCondition || kind == WaitKind::kSemaphore; }
};

// An intent that is younger than `least_ticks` is a lock being taken, not waited for.
std::optional<CurrentWait> current_wait(const ThreadFact& thread, std::uint64_t now_tick,
                                        std::uint64_t least_ticks);

}  // namespace impasse
