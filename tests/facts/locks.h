// Locks as a situation wants them: made with their attributes in one expression.
#pragma once

#include <pthread.h>

namespace facts {

struct MutexTraits {
  int type = PTHREAD_MUTEX_DEFAULT;
  bool robust = false;
  int protocol = PTHREAD_PRIO_NONE;
  int ceiling = 0;  // for PTHREAD_PRIO_PROTECT
  bool shared = false;
};

void make(pthread_mutex_t& mutex, const MutexTraits& traits);

// PTHREAD_RWLOCK_PREFER_…
void make(pthread_rwlock_t& lock, int preference, bool shared = false);

// An absolute time in so many milliseconds.
timespec in_ms(clockid_t clock, long ms);

// Far beyond the end of any test: a timed call with it is as good as one without a limit.
inline constexpr long kNeverMs = 3'600'000;

}  // namespace facts
