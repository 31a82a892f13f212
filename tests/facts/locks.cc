#include "locks.h"

#include <ctime>

#include "situation.h"

namespace facts {

void make(pthread_mutex_t& mutex, const MutexTraits& traits) {
  pthread_mutexattr_t attributes;
  must(pthread_mutexattr_init(&attributes) == 0);
  must(pthread_mutexattr_settype(&attributes, traits.type) == 0);
  must(pthread_mutexattr_setprotocol(&attributes, traits.protocol) == 0);
  if (traits.robust) {
    must(pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST) == 0);
  }
  if (traits.protocol == PTHREAD_PRIO_PROTECT) {
    must(pthread_mutexattr_setprioceiling(&attributes, traits.ceiling) == 0);
  }
  if (traits.shared) {
    must(pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
  }
  must(pthread_mutex_init(&mutex, &attributes) == 0);
  must(pthread_mutexattr_destroy(&attributes) == 0);
}

void make(pthread_rwlock_t& lock, int preference, bool shared) {
  pthread_rwlockattr_t attributes;
  must(pthread_rwlockattr_init(&attributes) == 0);
  must(pthread_rwlockattr_setkind_np(&attributes, preference) == 0);
  if (shared) must(pthread_rwlockattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED) == 0);
  must(pthread_rwlock_init(&lock, &attributes) == 0);
  must(pthread_rwlockattr_destroy(&attributes) == 0);
}

timespec in_ms(clockid_t clock, long ms) {
  timespec time{};
  clock_gettime(clock, &time);
  const long ns = time.tv_nsec + ms % 1'000 * 1'000'000;
  time.tv_sec += ms / 1'000 + ns / 1'000'000'000;
  time.tv_nsec = ns % 1'000'000'000;
  return time;
}

}  // namespace facts
