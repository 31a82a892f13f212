// The program's semaphores: who waits for a token, and who posts them. A token is nobody's.
#include <semaphore.h>

#include "detector/touched.h"
#include "interpose/answer.h"
#include "interpose/await.h"
#include "interpose/waking.h"

namespace impasse {
namespace {

// No tokens were left: the wait is told, then the real call blocks. Ended by a token, a signal
// handler (EINTR), the time limit, or cancellation.
template <auto& kReal, std::uint8_t kTraits, typename... Args>
[[gnu::noinline]] int wait_for_token(sem_t* semaphore, CallSite from, Args... args) {
  ThreadSlot* slot = attach_current();
  if (slot != nullptr && ledger() == nullptr) {
    const ErrnoKept errno_kept;
    begin_watching();
    slot = current_slot;
  }
  if (slot == nullptr) return real::call(kReal)(semaphore, args...);
  const std::uint64_t place = wait_place(*slot, from.pc, from.stack_pointer);
  std::optional<AwaitedLife> life;
  if constexpr ((kTraits & hold_trait::kTimed) == 0) {
    life = await_life(*slot, address_of(semaphore), LockKind::kSemaphore, from.pc, false);
  }
  WaitScope wait(slot->wait, {WaitKind::kSemaphore, address_of(semaphore), 0, from.pc, kTraits,
                              monotonic_ns(), tick_now(), place});
  IMPASSE_SAVE_REGISTERS(wait.registers());
  wait.publish();
  const int answer = real::call(kReal)(semaphore, args...);
  if (life && answer == 0) life->woken(from.pc, place);
  return answer;
}

// Who takes a token may be the one to give it back.
void note_asked_for(sem_t* semaphore) {
  if (ThreadSlot* const slot = current_slot) touch(*slot, address_of(semaphore));
}

bool looks_empty(sem_t* semaphore) {
  int tokens = 0;
  return sem_getvalue(semaphore, &tokens) == 0 && tokens <= 0;
}

}  // namespace
}  // namespace impasse

using namespace impasse;

IMPASSE_ANSWER(int, sem_init, (sem_t * s, int shared, unsigned int value)) {
  object_renewed(address_of(s));
  return real::call(real::sem_init)(s, shared, value);
}

IMPASSE_ANSWER(int, sem_destroy, (sem_t * s)) {
  const int answer = real::call(real::sem_destroy)(s);
  if (answer == 0) object_renewed(address_of(s));
  return answer;
}

// A point of cancellation, also where a token is there.
IMPASSE_ANSWER(int, sem_wait, (sem_t * s)) {
  pthread_testcancel();
  const int before = errno;
  note_asked_for(s);
  if (sem_trywait(s) == 0) return 0;
  errno = before;
  return wait_for_token<real::sem_wait, 0>(s, IMPASSE_CALL_SITE);
}

IMPASSE_ANSWER(int, sem_timedwait, (sem_t * s, const timespec* t)) {
  note_asked_for(s);
  if (!looks_empty(s)) return real::call(real::sem_timedwait)(s, t);
  return wait_for_token<real::sem_timedwait, hold_trait::kTimed>(s, IMPASSE_CALL_SITE, t);
}

IMPASSE_ANSWER(int, sem_clockwait, (sem_t * s, clockid_t c, const timespec* t)) {
  note_asked_for(s);
  if (!looks_empty(s)) return real::call(real::sem_clockwait)(s, c, t);
  return wait_for_token<real::sem_clockwait, hold_trait::kTimed>(s, IMPASSE_CALL_SITE, c, t);
}

IMPASSE_ANSWER(int, sem_post, (sem_t * s)) {
  return wake<real::sem_post, SignalKind::kPost>(s, IMPASSE_CALL_SITE.pc);
}
