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
    case LockKind::kOnce:
      return WaitKind::kOnce;
    case LockKind::kCondition:
    case LockKind::kSemaphore:
    case LockKind::kBarrier:
      break;  // nobody holds these
  }
  return WaitKind::kNone;
}

// Ticks are written down as 32 bits, which some 500 days fill; one that is ahead of us is now.
std::uint32_t ticks_since(std::uint64_t now_tick, std::uint64_t tick) {
  const std::uint32_t ticks =
      static_cast<std::uint32_t>(now_tick) - static_cast<std::uint32_t>(tick);
  return static_cast<std::int32_t>(ticks) < 0 ? 0 : ticks;
}

CurrentWait from_intent(const ThreadFact& thread, const HoldFact& intent) {
  CurrentWait wait;
  wait.kind = kind_of(intent);
  wait.object = intent.lock;
  wait.site = intent.site;
  wait.timed = intent.timed;
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
  wait.place = record.place;
  wait.since_ns = record.since_ns;
  wait.timed = record.timed;
  wait.mark = record.sequence;
  return wait;
}

// A signal handler interrupted one of the two with the other: it asks later, and mostly on a lower
// part of the stack.
bool came_later(const HoldFact& intent, const WaitFact& record, std::uint64_t now_tick) {
  const std::uint32_t intent_age = ticks_since(now_tick, intent.tick);
  const std::uint32_t record_age = ticks_since(now_tick, record.tick);
  if (intent_age != record_age) return intent_age < record_age;
  return intent.stack_low < static_cast<std::uint32_t>(record.registers[kRsp]);
}

}  // namespace

std::optional<CurrentWait> current_wait(const ThreadFact& thread, std::uint64_t now_tick,
                                        std::uint64_t least_ticks) {
  const HoldFact* intent = nullptr;
  for (const HoldFact& hold : thread.holds) {
    if (hold.phase == hold_phase::kAcquiring) intent = &hold;
  }
  // One within the other: that takes a signal handler.
  const bool in_handler = thread.wait && (thread.wait->outer != 0 || intent != nullptr);
  if (intent != nullptr && ticks_since(now_tick, intent->tick) < least_ticks) intent = nullptr;
  if (intent == nullptr && !thread.wait) return std::nullopt;
  const bool by_intent =
      intent != nullptr && (!thread.wait || came_later(*intent, *thread.wait, now_tick));
  CurrentWait wait = by_intent ? from_intent(thread, *intent) : from_record(*thread.wait);
  wait.in_handler = in_handler;
  const std::uint64_t tick = by_intent ? intent->tick : thread.wait->tick;
  wait.tick =
      tick == 0 ? 0 : now_tick - std::min<std::uint64_t>(now_tick, ticks_since(now_tick, tick));
  return wait;
}

}  // namespace impasse
