// The program's mutexes.
#include "interpose/answer.h"

namespace impasse {
namespace {

constexpr std::uint8_t kBlocking = static_cast<std::uint8_t>(LockKind::kMutex);
constexpr std::uint8_t kTimed = kBlocking | hold_trait::kTimed;

}  // namespace
}  // namespace impasse

using namespace impasse;

IMPASSE_ANSWER(int, pthread_mutex_init, (pthread_mutex_t * m, const pthread_mutexattr_t* a)) {
  lock_renewed(address_of(m));
  return real::call(real::pthread_mutex_init)(m, a);
}

IMPASSE_ANSWER(int, pthread_mutex_destroy, (pthread_mutex_t * m)) {
  if (MutexKind::is_taken(m)) [[unlikely]] {
    note_misuse({MisuseKind::kDestroyWhileHeld, LockKind::kMutex, address_of(m),
                 IMPASSE_CALL_SITE.pc, MutexKind::owner(m)});
  }
  return lock_destroyed(address_of(m), real::call(real::pthread_mutex_destroy)(m));
}

IMPASSE_ANSWER(int, pthread_mutex_lock, (pthread_mutex_t * m)) {
  return take<MutexKind, real::pthread_mutex_lock, kBlocking, true>(m, IMPASSE_CALL_SITE);
}

IMPASSE_ANSWER(int, pthread_mutex_trylock, (pthread_mutex_t * m)) {
  return try_take<MutexKind, real::pthread_mutex_trylock, kBlocking>(m, IMPASSE_CALL_SITE);
}

IMPASSE_ANSWER(int, pthread_mutex_timedlock, (pthread_mutex_t * m, const timespec* t)) {
  return take_slowly<MutexKind, real::pthread_mutex_timedlock, kTimed>(m, IMPASSE_CALL_SITE, t);
}

IMPASSE_ANSWER(int, pthread_mutex_clocklock,
               (pthread_mutex_t * m, clockid_t c, const timespec* t)) {
  return take_slowly<MutexKind, real::pthread_mutex_clocklock, kTimed>(m, IMPASSE_CALL_SITE, c, t);
}

IMPASSE_ANSWER(int, pthread_mutex_unlock, (pthread_mutex_t * m)) {
  return release<MutexKind, real::pthread_mutex_unlock>(m);
}

IMPASSE_ANSWER(int, pthread_mutex_consistent, (pthread_mutex_t * m)) {
  return real::call(real::pthread_mutex_consistent)(m);
}
