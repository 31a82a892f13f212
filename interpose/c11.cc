// C11 threads. libc builds them on its pthread functions but reaches those inside itself, not
// through us; the objects are the same, so they are told in the same way.
#include "interpose/condition_wait.h"
#include "interpose/thread_join.h"
#include "interpose/thread_life.h"
#include "interpose/waking.h"

namespace impasse {
namespace {

struct MtxKind : MutexKind {
  using Lock = mtx_t;
  static const pthread_mutex_t* as_mutex(const mtx_t* m) {
    return reinterpret_cast<const pthread_mutex_t*>(m);
  }
  static bool looks_taken(const mtx_t* m) { return MutexKind::looks_taken(as_mutex(m)); }
  static bool is_taken(const mtx_t* m) { return MutexKind::is_taken(as_mutex(m)); }
  static std::uint32_t owner(const mtx_t* m) { return MutexKind::owner(as_mutex(m)); }
  static bool owner_counts(const mtx_t* m) { return MutexKind::owner_counts(as_mutex(m)); }
  static bool has_levels(const mtx_t* m) { return MutexKind::has_levels(as_mutex(m)); }
  static bool is_plainly_free(const mtx_t* m) { return MutexKind::is_plainly_free(as_mutex(m)); }
  static bool taken_again(const mtx_t* m, std::uint32_t tid) {
    return MutexKind::taken_again(as_mutex(m), tid);
  }
};
static_assert(sizeof(mtx_t) == sizeof(pthread_mutex_t));

constexpr std::uint8_t kBlocking = static_cast<std::uint8_t>(LockKind::kMutex);

int run_thread(void* packed) {
  const Start start = unpack_start(packed);
  const int result = reinterpret_cast<thrd_start_t>(start.function)(start.argument);
  thread_leaves();
  return result;
}

}  // namespace
}  // namespace impasse

using namespace impasse;

IMPASSE_ANSWER(int, mtx_init, (mtx_t * m, int type)) {
  lock_renewed(address_of(m));
  return real::call(real::mtx_init)(m, type);
}

IMPASSE_ANSWER(void, mtx_destroy, (mtx_t * m)) {
  real::call(real::mtx_destroy)(m);
  lock_destroyed(address_of(m), 0);
}

IMPASSE_ANSWER(int, mtx_lock, (mtx_t * m)) {
  return take<MtxKind, real::mtx_lock, kBlocking, true>(m, IMPASSE_CALL_SITE);
}

IMPASSE_ANSWER(int, mtx_trylock, (mtx_t * m)) {
  return try_take<MtxKind, real::mtx_trylock, kBlocking>(m, IMPASSE_CALL_SITE);
}

IMPASSE_ANSWER(int, mtx_timedlock, (mtx_t * m, const timespec* t)) {
  return take_slowly<MtxKind, real::mtx_timedlock, kBlocking | hold_trait::kTimed>(
      m, IMPASSE_CALL_SITE, t);
}

IMPASSE_ANSWER(int, mtx_unlock, (mtx_t * m)) {
  return release<MtxKind, real::mtx_unlock>(m);
}

IMPASSE_ANSWER(int, cnd_init, (cnd_t * c)) {
  object_renewed(address_of(c));
  return real::call(real::cnd_init)(c);
}

IMPASSE_ANSWER(void, cnd_destroy, (cnd_t * c)) {
  real::call(real::cnd_destroy)(c);
  object_renewed(address_of(c));
}

IMPASSE_ANSWER(int, cnd_wait, (cnd_t * c, mtx_t* m)) {
  return wait_on_condition<real::cnd_wait, 0>(c, m, IMPASSE_CALL_SITE);
}

IMPASSE_ANSWER(int, cnd_timedwait, (cnd_t * c, mtx_t* m, const timespec* t)) {
  return wait_on_condition<real::cnd_timedwait, hold_trait::kTimed>(c, m, IMPASSE_CALL_SITE, t);
}

IMPASSE_ANSWER(int, cnd_signal, (cnd_t * c)) {
  return wake<real::cnd_signal, SignalKind::kSignal>(c, IMPASSE_CALL_SITE.pc);
}

IMPASSE_ANSWER(int, cnd_broadcast, (cnd_t * c)) {
  return wake<real::cnd_broadcast, SignalKind::kBroadcast>(c, IMPASSE_CALL_SITE.pc);
}

IMPASSE_ANSWER(int, thrd_create, (thrd_t * t, thrd_start_t f, void* x)) {
  begin_watching();
  if (switched_off()) return real::call(real::thrd_create)(t, f, x);
  void* const packed =
      pack_start({reinterpret_cast<void*>(f), x}, nullptr, IMPASSE_CALL_SITE.stack_pointer);
  if (packed == nullptr) return thrd_nomem;
  thread_is_made();
  const int answer = real::call(real::thrd_create)(t, run_thread, packed);
  if (answer != thrd_success) {
    thread_was_not_made();
    discard_start(packed);
  }
  return answer;
}

IMPASSE_ANSWER(void, thrd_exit, (int r)) {
  thread_leaves();
  real::call(real::thrd_exit)(r);
}

IMPASSE_ANSWER(int, thrd_join, (thrd_t t, int* r)) {
  return join<real::thrd_join, 0>(t, IMPASSE_CALL_SITE, r);
}

IMPASSE_ANSWER(int, thrd_detach, (thrd_t t)) {
  return real::call(real::thrd_detach)(t);
}
