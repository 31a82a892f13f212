// What the interposer may read of libc's locks: whether one looks taken, and by whom. Plain loads
// of words that libc changes atomically; an old answer costs a little speed, never a result.
#pragma once

#include <pthread.h>

#include <cstdint>

#include "detector/words.h"

namespace impasse {

template <typename Lock>
inline std::uint64_t address_of(const volatile Lock* lock) {
  return reinterpret_cast<std::uint64_t>(lock);
}

struct MutexKind {
  using Lock = pthread_mutex_t;
  static constexpr LockKind kKind = LockKind::kMutex;
  static constexpr WaitKind kWait = WaitKind::kMutex;
  static constexpr int kPrioProtect = 64;

  static bool looks_taken(const Lock* m) {
    return __atomic_load_n(&m->__data.__lock, __ATOMIC_RELAXED) != 0;
  }
  // The same without what libc keeps in that word of a free lock: the ceiling of a
  // priority-protected mutex, the mark of a robust one whose owner died.
  static bool is_taken(const Lock* m) {
    constexpr std::uint32_t kBelowCeiling = 0x0007'ffff;
    constexpr std::uint32_t kTid = 0x3fff'ffff;
    const auto word =
        static_cast<std::uint32_t>(__atomic_load_n(&m->__data.__lock, __ATOMIC_RELAXED));
    return (word & ((m->__data.__kind & kPrioProtect) != 0 ? kBelowCeiling : kTid)) != 0;
  }
  // What the owner word says of a priority-protected mutex after a condition wait is not to be
  // relied on: glibc may return without having taken it.
  static bool owner_counts(const Lock* m) { return (m->__data.__kind & kPrioProtect) == 0; }
  static std::uint32_t owner(const Lock* m) {
    return static_cast<std::uint32_t>(__atomic_load_n(&m->__data.__owner, __ATOMIC_RELAXED));
  }
  // A plain mutex that nobody has: unlocking it breaks it.
  static bool is_plainly_free(const Lock* m) {
    return m->__data.__kind == PTHREAD_MUTEX_TIMED_NP && !looks_taken(m) && owner(m) == 0;
  }
  // A recursive mutex that its holder has taken more than once.
  static bool has_levels(const Lock* m) { return m->__data.__count > 1; }
  // A further level of a recursive mutex that this thread has.
  static bool taken_again(const Lock* m, std::uint32_t tid) {
    return (m->__data.__kind & 3) == PTHREAD_MUTEX_RECURSIVE_NP && owner(m) == tid;
  }
};

struct RwlockKind {
  using Lock = pthread_rwlock_t;
  static constexpr LockKind kKind = LockKind::kRwlock;
  // The writer; readers are not known to libc by name.
  static std::uint32_t owner(const Lock* l) {
    return static_cast<std::uint32_t>(__atomic_load_n(&l->__data.__cur_writer, __ATOMIC_RELAXED));
  }
  static bool owner_counts(const Lock*) { return true; }
  static bool taken_again(const Lock*, std::uint32_t) { return false; }
  static bool has_levels(const Lock*) { return false; }
  static bool is_plainly_free(const Lock*) { return false; }

 protected:
  // glibc's word: bit 0 write phase, bit 1 a writer has it, bit 2 readers wait, from bit 3 the
  // count of readers.
  static std::uint32_t word(const Lock* l) {
    return __atomic_load_n(&l->__data.__readers, __ATOMIC_RELAXED);
  }
};

struct WriteKind : RwlockKind {
  static constexpr WaitKind kWait = WaitKind::kWrite;
  static bool looks_taken(const Lock* l) { return (word(l) >> 3) != 0 || (word(l) & 2) != 0; }
  static bool is_taken(const Lock* l) { return looks_taken(l); }
};

struct ReadKind : RwlockKind {
  static constexpr WaitKind kWait = WaitKind::kRead;
  static bool looks_taken(const Lock* l) { return (word(l) & 3) == 3; }
  static bool is_taken(const Lock* l) { return looks_taken(l); }
};

struct SpinKind {
  using Lock = pthread_spinlock_t;
  static constexpr LockKind kKind = LockKind::kSpin;
  static constexpr WaitKind kWait = WaitKind::kSpin;
  static bool looks_taken(const volatile int* l) {
    return __atomic_load_n(l, __ATOMIC_RELAXED) <= 0;
  }  // 1: free
  static bool is_taken(const volatile int* l) { return looks_taken(l); }
  static bool owner_counts(const volatile int*) { return false; }
  static bool taken_again(const volatile int*, std::uint32_t) { return false; }
  static std::uint32_t owner(const volatile int*) { return 0; }  // nobody wrote it down
  static bool has_levels(const volatile int*) { return false; }
  static bool is_plainly_free(const volatile int*) { return false; }
};

}  // namespace impasse
