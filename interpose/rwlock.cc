// The program's read-write locks.
#include "interpose/answer.h"

namespace impasse {
namespace {

constexpr std::uint8_t kWrite = static_cast<std::uint8_t>(LockKind::kRwlock);
constexpr std::uint8_t kRead = kWrite | hold_trait::kShared;

}  // namespace
}  // namespace impasse

using namespace impasse;

IMPASSE_ANSWER(int, pthread_rwlock_init, (pthread_rwlock_t * l, const pthread_rwlockattr_t* a)) {
  lock_renewed(address_of(l));
  return real::call(real::pthread_rwlock_init)(l, a);
}

IMPASSE_ANSWER(int, pthread_rwlock_destroy, (pthread_rwlock_t * l)) {
  if (WriteKind::is_taken(l)) [[unlikely]] {
    note_misuse({MisuseKind::kDestroyWhileHeld, LockKind::kRwlock, address_of(l),
                 IMPASSE_CALL_SITE.pc, RwlockKind::owner(l)});
  }
  return lock_destroyed(address_of(l), real::call(real::pthread_rwlock_destroy)(l));
}

IMPASSE_ANSWER(int, pthread_rwlock_rdlock, (pthread_rwlock_t * l)) {
  return take<ReadKind, real::pthread_rwlock_rdlock, kRead, false>(l, IMPASSE_CALL_SITE);
}

IMPASSE_ANSWER(int, pthread_rwlock_wrlock, (pthread_rwlock_t * l)) {
  return take<WriteKind, real::pthread_rwlock_wrlock, kWrite, true>(l, IMPASSE_CALL_SITE);
}

IMPASSE_ANSWER(int, pthread_rwlock_tryrdlock, (pthread_rwlock_t * l)) {
  return try_take<ReadKind, real::pthread_rwlock_tryrdlock, kRead>(l, IMPASSE_CALL_SITE);
}

IMPASSE_ANSWER(int, pthread_rwlock_trywrlock, (pthread_rwlock_t * l)) {
  return try_take<WriteKind, real::pthread_rwlock_trywrlock, kWrite>(l, IMPASSE_CALL_SITE);
}

IMPASSE_ANSWER(int, pthread_rwlock_timedrdlock, (pthread_rwlock_t * l, const timespec* t)) {
  return take_slowly<ReadKind, real::pthread_rwlock_timedrdlock, kRead | hold_trait::kTimed>(
      l, IMPASSE_CALL_SITE, t);
}

IMPASSE_ANSWER(int, pthread_rwlock_timedwrlock, (pthread_rwlock_t * l, const timespec* t)) {
  return take_slowly<WriteKind, real::pthread_rwlock_timedwrlock, kWrite | hold_trait::kTimed>(
      l, IMPASSE_CALL_SITE, t);
}

IMPASSE_ANSWER(int, pthread_rwlock_clockrdlock,
               (pthread_rwlock_t * l, clockid_t c, const timespec* t)) {
  return take_slowly<ReadKind, real::pthread_rwlock_clockrdlock, kRead | hold_trait::kTimed>(
      l, IMPASSE_CALL_SITE, c, t);
}

IMPASSE_ANSWER(int, pthread_rwlock_clockwrlock,
               (pthread_rwlock_t * l, clockid_t c, const timespec* t)) {
  return take_slowly<WriteKind, real::pthread_rwlock_clockwrlock, kWrite | hold_trait::kTimed>(
      l, IMPASSE_CALL_SITE, c, t);
}

IMPASSE_ANSWER(int, pthread_rwlock_unlock, (pthread_rwlock_t * l)) {
  return release<RwlockKind, real::pthread_rwlock_unlock>(l);
}
