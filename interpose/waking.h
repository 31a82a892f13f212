// A call that wakes others: a signal or broadcast to a condition, a post to a semaphore. Who woke
// whom is noted before the call is made: whoever was woken may end the object's life at once, so
// nothing of the object is touched, before or after.
//
// Promises: errno is what the real function leaves; a signal handler may come at any instruction
// and wake others itself. Costs: some 20 instructions (bench/instructions.budget).
#pragma once

#include "detector/signal_notes.h"
#include "interpose/answer.h"

namespace impasse {

// Not noted before at this place, or in an earlier life of the object, or by a thread that was not
// met yet; or since the watchdog's last turn.
void note_waking(const Signal& signal);

template <auto& kReal, SignalKind kKind, typename Object>
[[gnu::noinline]] int wake_and_note(Object* object, std::uint64_t pc) {
  note_waking({address_of(object), pc, kKind});
  return real::call(kReal)(object);
}

template <auto& kReal, SignalKind kKind, typename Object>
[[gnu::always_inline]] inline int wake(Object* object, std::uint64_t pc) {
  ThreadSlot* const slot = current_slot;
  if (slot == nullptr || !note_signal_again(*slot, address_of(object), signal_word(pc, kKind)))
      [[unlikely]] {
    return wake_and_note<kReal, kKind>(object, pc);
  }
  return real::call(kReal)(object);
}

}  // namespace impasse
