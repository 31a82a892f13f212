// A pthread_rwlock_t of a kind of one's choice, used like a std::shared_mutex.
#pragma once

#include <pthread.h>

namespace stream_cache {

class NativeRwlock {
 public:
  explicit NativeRwlock(int kind = PTHREAD_RWLOCK_DEFAULT_NP) {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, kind);
    pthread_rwlock_init(&native_, &attributes);
    pthread_rwlockattr_destroy(&attributes);
  }
  ~NativeRwlock() { pthread_rwlock_destroy(&native_); }

  NativeRwlock(const NativeRwlock&) = delete;
  NativeRwlock& operator=(const NativeRwlock&) = delete;

  void lock() { pthread_rwlock_wrlock(&native_); }
  void unlock() { pthread_rwlock_unlock(&native_); }
  void lock_shared() { pthread_rwlock_rdlock(&native_); }
  void unlock_shared() { pthread_rwlock_unlock(&native_); }

 private:
  pthread_rwlock_t native_;
};

// The kind that lets no new reader in while a writer waits.
struct WritersFirst : NativeRwlock {
  WritersFirst() : NativeRwlock(PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP) {}
};

}  // namespace stream_cache
