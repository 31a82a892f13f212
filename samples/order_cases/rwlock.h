// A read-write lock of either kind, and its two sides as what std::lock_guard takes.
#pragma once

#include <pthread.h>

namespace order_cases {

enum class Preference { kDefault, kWriters };

struct Rwlock {
  explicit Rwlock(Preference preference) {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    if (preference == Preference::kWriters) {
      pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    }
    pthread_rwlock_init(&native, &attributes);
    pthread_rwlockattr_destroy(&attributes);
  }
  Rwlock(const Rwlock&) = delete;
  Rwlock& operator=(const Rwlock&) = delete;

  pthread_rwlock_t native;
};

class Reading {
 public:
  explicit Reading(Rwlock& lock) : lock_(lock) {}
  [[gnu::always_inline]] inline void lock() { pthread_rwlock_rdlock(&lock_.native); }
  [[gnu::always_inline]] inline void unlock() { pthread_rwlock_unlock(&lock_.native); }

 private:
  Rwlock& lock_;
};

class Writing {
 public:
  explicit Writing(Rwlock& lock) : lock_(lock) {}
  [[gnu::always_inline]] inline void lock() { pthread_rwlock_wrlock(&lock_.native); }
  [[gnu::always_inline]] inline void unlock() { pthread_rwlock_unlock(&lock_.native); }

 private:
  Rwlock& lock_;
};

}  // namespace order_cases
