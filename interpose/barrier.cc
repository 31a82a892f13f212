// The program's barriers: who waits there for the others. Who will come is not known.
#include "interpose/answer.h"

namespace impasse {
namespace {

[[gnu::noinline]] int wait_for_others(pthread_barrier_t* barrier, CallSite from) {
  ThreadSlot* slot = attach_current();
  if (slot != nullptr && ledger() == nullptr) {
    begin_watching();
    slot = current_slot;
  }
  if (slot == nullptr) return real::call(real::pthread_barrier_wait)(barrier);
  const std::uint64_t object = address_of(barrier);
  if (Ledger* const here = ledger()) {
    const ErrnoKept errno_kept;
    LockTable(*here).matters(object, LockKind::kBarrier, from.pc);
  }
  WaitScope wait(slot->wait,
                 {WaitKind::kBarrier, object, 0, from.pc, 0, monotonic_ns(), tick_now()});
  IMPASSE_SAVE_REGISTERS(wait.registers());
  wait.publish();
  return real::call(real::pthread_barrier_wait)(barrier);
}

}  // namespace
}  // namespace impasse

using namespace impasse;

IMPASSE_ANSWER(int, pthread_barrier_init,
               (pthread_barrier_t * b, const pthread_barrierattr_t* a, unsigned int n)) {
  object_renewed(address_of(b));
  return real::call(real::pthread_barrier_init)(b, a, n);
}

IMPASSE_ANSWER(int, pthread_barrier_destroy, (pthread_barrier_t * b)) {
  const int answer = real::call(real::pthread_barrier_destroy)(b);
  if (answer == 0) object_renewed(address_of(b));
  return answer;
}

IMPASSE_ANSWER(int, pthread_barrier_wait, (pthread_barrier_t * b)) {
  return wait_for_others(b, IMPASSE_CALL_SITE);
}
