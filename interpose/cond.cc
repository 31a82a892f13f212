// The program's condition variables. A wait gives its mutex back and takes it again inside libc,
// not through us: the hold stays in its place and is marked meanwhile.
#include "interpose/condition_wait.h"
#include "interpose/waking.h"

using namespace impasse;

IMPASSE_ANSWER(int, pthread_cond_init, (pthread_cond_t * c, const pthread_condattr_t* a)) {
  object_renewed(address_of(c));
  return real::call(real::pthread_cond_init)(c, a);
}

IMPASSE_ANSWER(int, pthread_cond_destroy, (pthread_cond_t * c)) {
  const int answer = real::call(real::pthread_cond_destroy)(c);
  if (answer == 0) object_renewed(address_of(c));
  return answer;
}

IMPASSE_ANSWER(int, pthread_cond_wait, (pthread_cond_t * c, pthread_mutex_t* m)) {
  return wait_on_condition<real::pthread_cond_wait, 0>(c, m, IMPASSE_CALL_SITE);
}

IMPASSE_ANSWER(int, pthread_cond_timedwait,
               (pthread_cond_t * c, pthread_mutex_t* m, const timespec* t)) {
  return wait_on_condition<real::pthread_cond_timedwait, hold_trait::kTimed>(c, m,
                                                                             IMPASSE_CALL_SITE, t);
}

IMPASSE_ANSWER(int, pthread_cond_clockwait,
               (pthread_cond_t * c, pthread_mutex_t* m, clockid_t k, const timespec* t)) {
  return wait_on_condition<real::pthread_cond_clockwait, hold_trait::kTimed>(
      c, m, IMPASSE_CALL_SITE, k, t);
}

IMPASSE_ANSWER(int, pthread_cond_signal, (pthread_cond_t * c)) {
  return wake<real::pthread_cond_signal, SignalKind::kSignal>(c, IMPASSE_CALL_SITE.pc);
}

IMPASSE_ANSWER(int, pthread_cond_broadcast, (pthread_cond_t * c)) {
  return wake<real::pthread_cond_broadcast, SignalKind::kBroadcast>(c, IMPASSE_CALL_SITE.pc);
}
