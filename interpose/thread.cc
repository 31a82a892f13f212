// The program's threads: where they begin and end, who waits for whose end, their names.
#include <cstring>

#include "interpose/thread_join.h"
#include "interpose/thread_life.h"

namespace impasse {
namespace {

void* run_thread(void* packed) {
  const Start start = unpack_start(packed);
  void* const result = reinterpret_cast<void* (*)(void*)>(start.function)(start.argument);
  thread_leaves();
  return result;
}

void note_name(pthread_t thread, const char* name) {
  ThreadSlot* slot = current_slot;
  Ledger* const here = ledger();
  if (here != nullptr && thread != pthread_self()) slot = find_thread(*here, thread);
  if (slot == nullptr) return;
  std::uint64_t words[kNameBytes / 8] = {};
  std::memcpy(words, name, std::strlen(name));  // libc took it, so it fits
  for (unsigned i = 0; i < kNameBytes / 8; ++i)
    slot->name[i].store(words[i], std::memory_order_relaxed);
  slot->name_known.store(1, std::memory_order_relaxed);
}

}  // namespace
}  // namespace impasse

using namespace impasse;

IMPASSE_ANSWER(int, pthread_create,
               (pthread_t * t, const pthread_attr_t* a, void* (*f)(void*), void* x)) {
  begin_watching();
  if (switched_off()) return real::call(real::pthread_create)(t, a, f, x);
  void* const packed =
      pack_start({reinterpret_cast<void*>(f), x}, a, IMPASSE_CALL_SITE.stack_pointer);
  if (packed == nullptr) return EAGAIN;
  thread_is_made();
  const int answer = real::call(real::pthread_create)(t, a, run_thread, packed);
  if (answer != 0) {
    thread_was_not_made();
    discard_start(packed);
  }
  return answer;
}

IMPASSE_ANSWER(void, pthread_exit, (void* r)) {
  thread_leaves();
  real::call(real::pthread_exit)(r);
}

IMPASSE_ANSWER(int, pthread_join, (pthread_t t, void** r)) {
  return join<real::pthread_join, 0>(t, IMPASSE_CALL_SITE, r);
}

IMPASSE_ANSWER(int, pthread_tryjoin_np, (pthread_t t, void** r)) {
  const int answer = real::call(real::pthread_tryjoin_np)(t, r);
  if (answer == 0) note_join(t);
  return answer;
}

IMPASSE_ANSWER(int, pthread_timedjoin_np, (pthread_t t, void** r, const timespec* d)) {
  return join<real::pthread_timedjoin_np, hold_trait::kTimed>(t, IMPASSE_CALL_SITE, r, d);
}

IMPASSE_ANSWER(int, pthread_clockjoin_np, (pthread_t t, void** r, clockid_t c, const timespec* d)) {
  return join<real::pthread_clockjoin_np, hold_trait::kTimed>(t, IMPASSE_CALL_SITE, r, c, d);
}

IMPASSE_ANSWER(int, pthread_detach, (pthread_t t)) {
  return real::call(real::pthread_detach)(t);
}

IMPASSE_ANSWER(int, pthread_setname_np, (pthread_t t, const char* n)) {
  const int answer = real::call(real::pthread_setname_np)(t, n);
  if (answer == 0) note_name(t, n);
  return answer;
}
