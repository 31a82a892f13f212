// A wait for a thread's end, for pthread and C11 alike.
#pragma once

#include "interpose/answer.h"
#include "interpose/order_notes.h"

namespace impasse {

// The slot of the thread with this pthread_t; null when it is not known (any more).
ThreadSlot* find_thread(const Ledger& ledger, pthread_t thread);

template <auto& kReal, std::uint8_t kTraits, typename... Args>
[[gnu::noinline]] int join(pthread_t thread, CallSite from, Args... args) {
  ThreadSlot* const slot = ledger() == nullptr ? nullptr : attach_current();
  if (slot == nullptr) return real::call(kReal)(thread, args...);
  WaitScope wait(slot->wait,
                 {WaitKind::kJoin, thread, 0, from.pc, kTraits, monotonic_ns(), tick_now()});
  IMPASSE_SAVE_REGISTERS(wait.registers());
  wait.publish();
  const int answer = real::call(kReal)(thread, args...);
  if (answer == 0) note_join(thread);
  return answer;
}

}  // namespace impasse
