// The program's spinlocks. They have no owner that could be asked for.
#include "interpose/answer.h"

namespace impasse {
namespace {

constexpr std::uint8_t kSpin = static_cast<std::uint8_t>(LockKind::kSpin);

}  // namespace
}  // namespace impasse

using namespace impasse;

IMPASSE_ANSWER(int, pthread_spin_init, (pthread_spinlock_t * l, int shared)) {
  lock_renewed(address_of(l));
  return real::call(real::pthread_spin_init)(l, shared);
}

IMPASSE_ANSWER(int, pthread_spin_destroy, (pthread_spinlock_t * l)) {
  return lock_destroyed(address_of(l), real::call(real::pthread_spin_destroy)(l));
}

IMPASSE_ANSWER(int, pthread_spin_lock, (pthread_spinlock_t * l)) {
  return take<SpinKind, real::pthread_spin_lock, kSpin, true>(l, IMPASSE_CALL_SITE);
}

IMPASSE_ANSWER(int, pthread_spin_trylock, (pthread_spinlock_t * l)) {
  return try_take<SpinKind, real::pthread_spin_trylock, kSpin>(l, IMPASSE_CALL_SITE);
}

IMPASSE_ANSWER(int, pthread_spin_unlock, (pthread_spinlock_t * l)) {
  return release<SpinKind, real::pthread_spin_unlock>(l);
}
