#include "detector/current_wait.h"

#include <algorithm>

namespace impasse {
namespace {

WaitKind kind_of(const HoldFact& intent) {
  switch (intent.kind) {
    case LockKind::kMutex:
      return WaitKind::kMutex;
    case LockKind::kRwlock:
      return intent.shared ? WaitKind::kRead : WaitKind::kWrite;
    case LockKind::kSpin:
      return WaitKind::kSpin;
  }
  return WaitKind::kNone;
}

CurrentWait from_intent(const ThreadFact& thread, const HoldFact& intent) {
  CurrentWait wait;
  wait.kind = kind_of(intent);
  wait.object = intent.lock;
  wait.site = intent.site;
  wait.tick = intent.tick;
  wait.timed = intent.timed;
  wait.in_handler = thread.wait.has_value();
  wait.intent = &intent;
  wait.mark = thread.state;
  return wait;
}

CurrentWait from_record(const WaitFact& record) {
  CurrentWait wait;
  wait.kind = record.kind;
  wait.object = record.object;
  wait.partner = record.partner;
  wait.site = record.site;
  wait.since_ns = record.since_ns;
  wait.tick = record.tick;
  wait.timed = record.timed;
  wait.in_handler = record.outer != 0;
  wait.mark = record.sequence;
  return wait;
}

}  // namespace

std::optional<CurrentWait> current_wait(const ThreadFact& thread, std::uint64_t now_tick,
                                        std::uint64_t least_ticks) {
  const HoldFact* intent = nullptr;
  for (const HoldFact& hold : thread.holds) {
    if (hold.phase == hold_phase::kAcquiring) intent = &hold;
  }
  const bool waits_for_it =
      intent != nullptr && static_cast<std::uint32_t>(now_tick) - intent->tick >= least_ticks;
  if (!thread.wait) {
    return waits_for_it ? std::optional(from_intent(thread, *intent)) : std::nullopt;
  }
  // A signal handler that interrupted a wait asks on a lower part of the stack.
  if (waits_for_it) {
    const auto waiting_at = static_cast<std::uint32_t>(thread.wait->registers[kRsp]);
    if (intent->stack_low < waiting_at) return from_intent(thread, *intent);
  }
  return from_record(*thread.wait);
}

}  // namespace impasse
