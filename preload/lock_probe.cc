#include "preload/lock_probe.h"

#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "interpose/lock_kinds.h"
#include "system/call_filter.h"
#include "system/memory.h"
#include "system/tasks.h"

namespace impasse {
namespace {

constexpr int kMutexRobust = 16;
constexpr int kMutexShared = 128;
constexpr int kMutexInheritsPriority = 32;
constexpr int kFutexLockPi2 = 13;
// libc's description of a thread, in which the kernel clears a word when the thread ends.
constexpr std::uint64_t kThreadBytes = 4096;
// From the stack pointer of that system call to the word: within libc's own frames.
constexpr std::uint64_t kFrameBytes = 256;

// A program may enter a sandbox at any time; what is slower and safe is found out anew each time.
template <typename Lock>
bool copy(std::uint64_t address, Lock& lock) {
  if (system::filtered()) return system::Memory().read_all(address, &lock, sizeof lock);
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

// What libc lays over a sem_t and a pthread_barrier_t.
struct SemaphoreWords {
  std::uint32_t value;
  std::uint32_t waiters;
  int sharing;  // 0: not between processes
};
struct BarrierWords {
  std::uint32_t in;
  std::uint32_t round;
  std::uint32_t count;
  int sharing;
};
static_assert(sizeof(SemaphoreWords) <= sizeof(sem_t));
static_assert(sizeof(BarrierWords) <= sizeof(pthread_barrier_t));

LockState probe_condition(std::uint64_t address) {
  LockState state;
  pthread_cond_t condition;
  if (!copy(address, condition)) return state;
  state.readable = true;
  state.between_processes = (condition.__data.__wrefs & 1) != 0;
  return state;
}

LockState probe_semaphore(std::uint64_t address) {
  LockState state;
  SemaphoreWords semaphore;
  if (!copy(address, semaphore)) return state;
  state.readable = true;
  state.between_processes = semaphore.sharing != 0;
  state.tokens = semaphore.value;
  return state;
}

LockState probe_barrier(std::uint64_t address) {
  LockState state;
  BarrierWords barrier;
  if (!copy(address, barrier)) return state;
  state.readable = true;
  state.between_processes = barrier.sharing != 0;
  return state;
}

// A thread that a tracer has stopped on its way out of the kernel still shows its call.
bool stopped(const system::ProcFiles& process, std::uint32_t tid) {
  const char state = system::task_state(process, tid);
  return state == 't' || state == 'T';
}

// Asleep until somebody wakes it for this word; those who wake others use the same call.
bool waits_on_futex(const system::CallLook& call) {
  if (call.form != system::CallForm::kCall || call.number != SYS_futex) return false;
  switch (static_cast<int>(call.arguments[1]) & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
    case FUTEX_WAIT_BITSET:
    case FUTEX_LOCK_PI:
    case kFutexLockPi2:
      return true;
    default:
      return false;
  }
}

std::uint64_t bytes_of(WaitKind kind) {
  switch (kind) {
    case WaitKind::kMutex:
      return sizeof(pthread_mutex_t);
    case WaitKind::kRead:
    case WaitKind::kWrite:
      return sizeof(pthread_rwlock_t);
    case WaitKind::kJoin:
      return kThreadBytes;
    case WaitKind::kCondition:
      return sizeof(pthread_cond_t);
    case WaitKind::kSemaphore:
      return sizeof(sem_t);
    case WaitKind::kBarrier:
      return sizeof(pthread_barrier_t);
    case WaitKind::kOnce:
      return sizeof(pthread_once_t);
    case WaitKind::kSpin:
    case WaitKind::kNone:
      break;
  }
  return 0;
}

bool inherits_priority(std::uint64_t address) {
  pthread_mutex_t mutex;
  return copy(address, mutex) && (mutex.__data.__kind & kMutexInheritsPriority) != 0;
}

}  // namespace

// The kernel refuses to let a thread wait for a mutex that inherits priorities when that would be a
// deadlock; libc then lets it sleep for ever on a word of its own stack.
Sleep probe_sleep(std::uint32_t tid, WaitKind kind, std::uint64_t object) {
  const std::uint64_t bytes = bytes_of(kind);
  if (bytes == 0) return Sleep::kUnknown;  // spinning is no sleep
  const system::ProcFiles process;
  const system::CallLook call = system::look_at_call(process, tid);
  if (call.form == system::CallForm::kUnknown || call.form == system::CallForm::kForbidden) {
    return Sleep::kUnknown;
  }
  if (!waits_on_futex(call) || stopped(process, tid)) return Sleep::kElsewhere;
  const std::uint64_t word = call.arguments[0];
  if (word - object < bytes) return Sleep::kThere;
  const bool own = kind == WaitKind::kMutex && word - call.sp < kFrameBytes;
  return own && inherits_priority(object) ? Sleep::kThere : Sleep::kElsewhere;
}

LockState probe_lock(std::uint64_t lock, LockKind kind) {
  switch (kind) {
    case LockKind::kMutex:
      return probe_mutex(lock);
    case LockKind::kRwlock:
      return probe_rwlock(lock);
    case LockKind::kCondition:
      return probe_condition(lock);
    case LockKind::kSemaphore:
      return probe_semaphore(lock);
    case LockKind::kBarrier:
      return probe_barrier(lock);
    case LockKind::kSpin:
    case LockKind::kOnce:
      break;  // libc keeps no owner for these
  }
  return {};
}

}  // namespace impasse
