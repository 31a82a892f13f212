// A wait on a condition, for pthread and C11 alike.
#pragma once

#include <optional>

#include "interpose/answer.h"
#include "interpose/await.h"
#include "interpose/order_notes.h"

namespace impasse {

// While it lives, the thread's hold of the mutex counts as given back. Cancellation ends it too:
// libc has taken the mutex again by then.
class MutexGivenBack {
 public:
  MutexGivenBack(ThreadSlot& slot, std::uint64_t mutex, std::uint64_t pc)
      : stack_(slot, ledger()), mutex_(mutex), pc_(pc), counted_(is_counted(&slot)) {
    if (counted_) end_hold(slot, mutex);
    known_ = stack_.give_back(mutex);
  }
  ~MutexGivenBack() {
    if (known_) stack_.take_again(mutex_, tick_now());
    if (known_ && counted_) {
      count_taken(mutex_, pc_, static_cast<std::uint8_t>(LockKind::kMutex), kNoWait);
    }
  }
  MutexGivenBack(const MutexGivenBack&) = delete;
  MutexGivenBack& operator=(const MutexGivenBack&) = delete;

 private:
  HoldStack stack_;
  std::uint64_t mutex_;
  std::uint64_t pc_;
  bool counted_;  // its end is an acquisition, from the place of the wait
  bool known_;
};

// libc counts the waits for a condition in its first word, from bit 1 up: a condition that says
// that there were none is a new one, also where nobody told of it (a static initializer).
template <typename Condition>
bool never_awaited(const Condition* condition) {
  return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(condition), __ATOMIC_RELAXED) < 2;
}

template <auto& kReal, std::uint8_t kTraits, typename Condition, typename Mutex, typename... Args>
[[gnu::noinline]] int wait_on_condition(Condition* condition, Mutex* mutex, CallSite from,
                                        Args... args) {
  ThreadSlot* slot = attach_current();
  if (slot == nullptr) return real::call(kReal)(condition, mutex, args...);
  if (ledger() == nullptr) {
    begin_watching();
    slot = current_slot;
    if (slot == nullptr || ledger() == nullptr) return real::call(kReal)(condition, mutex, args...);
  }
  settle_last_wake(*slot, *ledger());
  const std::uint64_t place = wait_place(*slot, from.pc, from.stack_pointer);
  std::optional<AwaitedLife> life;
  if constexpr ((kTraits & hold_trait::kTimed) == 0) {
    life = await_life(*slot, address_of(condition), LockKind::kCondition, from.pc,
                      never_awaited(condition));
  }
  if (depth_of(slot->state.load(std::memory_order_relaxed)) > 1)
    note_order_again(*slot, address_of(mutex), from.pc, from.stack_pointer);
  int answer = 0;
  {
    const MutexGivenBack given_back(*slot, address_of(mutex), from.pc);
    WaitScope wait(slot->wait, {WaitKind::kCondition, address_of(condition), address_of(mutex),
                                from.pc, kTraits, monotonic_ns(), tick_now(), place});
    IMPASSE_SAVE_REGISTERS(wait.registers());
    wait.publish();
    answer = real::call(kReal)(condition, mutex, args...);
    if (answer == EOWNERDEAD) note_owner_dead(address_of(mutex));
  }
  if (life && answer == 0) life->woken_perhaps(*slot, from.pc, place);
  return answer;
}

}  // namespace impasse
