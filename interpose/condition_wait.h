// A wait on a condition, for pthread and C11 alike.
#pragma once

#include "interpose/answer.h"
#include "interpose/order_notes.h"

namespace impasse {

// While it lives, the thread's hold of the mutex counts as given back. Cancellation ends it too:
// libc has taken the mutex again by then.
class MutexGivenBack {
 public:
  MutexGivenBack(ThreadSlot& slot, std::uint64_t mutex)
      : stack_(slot, ledger()), mutex_(mutex), known_(stack_.give_back(mutex)) {}
  ~MutexGivenBack() {
    if (known_) stack_.take_again(mutex_, tick_now());
  }
  MutexGivenBack(const MutexGivenBack&) = delete;
  MutexGivenBack& operator=(const MutexGivenBack&) = delete;

 private:
  HoldStack stack_;
  std::uint64_t mutex_;
  bool known_;
};

template <auto& kReal, std::uint8_t kTraits, typename Condition, typename Mutex, typename... Args>
[[gnu::noinline]] int wait_on_condition(Condition* condition, Mutex* mutex, CallSite from,
                                        Args... args) {
  ThreadSlot* slot = attach_current();
  if (slot == nullptr) return real::call(kReal)(condition, mutex, args...);
  if (ledger() == nullptr) {
    begin_watching();
    slot = current_slot;
    if (slot == nullptr) return real::call(kReal)(condition, mutex, args...);
  }
  if (depth_of(slot->state.load(std::memory_order_relaxed)) > 1)
    note_order_again(*slot, address_of(mutex), from.pc, from.stack_pointer);
  const MutexGivenBack given_back(*slot, address_of(mutex));
  WaitScope wait(slot->wait, {WaitKind::kCondition, address_of(condition), address_of(mutex),
                              from.pc, kTraits, monotonic_ns(), tick_now()});
  IMPASSE_SAVE_REGISTERS(wait.registers());
  wait.publish();
  const int answer = real::call(kReal)(condition, mutex, args...);
  if (answer == EOWNERDEAD) note_owner_dead(address_of(mutex));
  return answer;
}

}  // namespace impasse
