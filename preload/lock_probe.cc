#include "preload/lock_probe.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "interpose/lock_kinds.h"

namespace impasse {
namespace {

constexpr int kMutexRobust = 16;
constexpr int kMutexShared = 128;

template <typename Lock>
bool copy(std::uint64_t address, Lock& lock) {
  const iovec to{&lock, sizeof lock};
  const iovec from{reinterpret_cast<void*>(address), sizeof lock};
  return process_vm_readv(static_cast<pid_t>(syscall(SYS_getpid)), &to, 1, &from, 1, 0) ==
         static_cast<ssize_t>(sizeof lock);
}

LockState probe_mutex(std::uint64_t address) {
  LockState state;
  pthread_mutex_t mutex;
  if (!copy(address, mutex)) return state;
  const int kind = mutex.__data.__kind;
  state.readable = true;
  // The owner is written after the lock is taken and cleared before it is released.
  if (MutexKind::is_taken(&mutex)) state.owner = MutexKind::owner(&mutex);
  state.recursive = (kind & 3) == PTHREAD_MUTEX_RECURSIVE_NP;
  state.robust = (kind & kMutexRobust) != 0;
  state.between_processes = (kind & kMutexShared) != 0;
  return state;
}

LockState probe_rwlock(std::uint64_t address) {
  LockState state;
  pthread_rwlock_t lock;
  if (!copy(address, lock)) return state;
  state.readable = true;
  state.owner = RwlockKind::owner(&lock);
  state.readers = lock.__data.__readers >> 3;
  state.prefers_writers = lock.__data.__flags == PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP;
  state.between_processes = lock.__data.__shared != 0;
  return state;
}

}  // namespace

LockState probe_lock(std::uint64_t lock, LockKind kind) {
  switch (kind) {
    case LockKind::kMutex:
      return probe_mutex(lock);
    case LockKind::kRwlock:
      return probe_rwlock(lock);
    case LockKind::kSpin:
      break;
  }
  return {};
}

}  // namespace impasse
