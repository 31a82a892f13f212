#include "report/commonplace.h"

#include <span>

#include "report/glob.h"

namespace impasse::report {
namespace {

constexpr std::string_view kFunctions[] = {
    "pthread_mutex_lock",
    "pthread_mutex_trylock",
    "pthread_mutex_timedlock",
    "pthread_mutex_clocklock",
    "pthread_mutex_unlock",
    "pthread_mutex_destroy",
    "pthread_rwlock_rdlock",
    "pthread_rwlock_wrlock",
    "pthread_rwlock_unlock",
    "pthread_spin_lock",
    "pthread_cond_wait",
    "pthread_cond_timedwait",
    "pthread_cond_clockwait",
    "pthread_cond_signal",
    "pthread_cond_broadcast",
    "___pthread_cond_wait",
    "__pthread_cond_wait",
    "pthread_join",
    "pthread_barrier_wait",
    "pthread_once",
    "__pthread_once_slow",
    "sem_wait",
    "sem_timedwait",
    "sem_clockwait",
    "sem_post",
    "__new_sem_wait",
    "__new_sem_wait_slow64",
    "__futex_abstimed_wait_common",
    "__futex_abstimed_wait_common64",
    "___pthread_mutex_lock",
    "__pthread_mutex_lock",
    "__lll_lock_wait",
    "__gthread_mutex_lock",
    "__gthread_mutex_lock(pthread_mutex_t*)",
    "__gthread_recursive_mutex_lock",
    "mtx_lock",
    "mtx_timedlock",
    "cnd_wait",
    "cnd_timedwait",
    "cnd_signal",
    "cnd_broadcast",
    "call_once",
    "std::mutex::lock",
    "std::mutex::lock()",
    "std::mutex::unlock",
    "std::recursive_mutex::lock",
    "std::timed_mutex::try_lock_for",
    "std::shared_mutex::lock",
    "std::shared_mutex::lock_shared",
    "std::__shared_mutex_pthread::lock",
    "std::__shared_mutex_pthread::lock_shared",
    "std::lock",
    "std::lock_guard<std::mutex>::lock_guard",
    "std::lock_guard<std::mutex>::lock_guard(std::mutex&)",
    "std::unique_lock<std::mutex>::lock",
    "std::unique_lock<std::mutex>::unique_lock",
    "std::unique_lock<std::shared_mutex>::unique_lock",
    "std::shared_lock<std::shared_mutex>::shared_lock",
    "std::scoped_lock<std::mutex>::scoped_lock",
    "std::scoped_lock<std::mutex, std::mutex>::scoped_lock",
    "std::condition_variable::wait",
    "std::condition_variable::wait(std::unique_lock<std::mutex>&)",
    "std::condition_variable::wait_for",
    "std::condition_variable::wait_until",
    "std::condition_variable::notify_one",
    "std::condition_variable::notify_one()",
    "std::condition_variable::notify_all",
    "std::condition_variable::notify_all()",
    "std::condition_variable_any::wait",
    "std::condition_variable_any::notify_one",
    "std::condition_variable_any::notify_all",
    "std::__condvar::wait",
    "std::__condvar::wait(std::mutex&)",
    "std::call_once",
    "std::thread::join",
    "start_thread",
    "clone3",
    "__clone",
    "_start",
    "__libc_start_main",
    "__libc_start_call_main",
    "execute_native_thread_routine",
};
constexpr std::string_view kModules[] = {
    "libc.so.6",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/usr/lib/x86_64-linux-gnu/libc.so.6",
    "libpthread.so.0",
    "/lib/x86_64-linux-gnu/libpthread.so.0",
    "libstdc++.so.6",
    "libstdc++.so.6.0.30",
    "/usr/lib/x86_64-linux-gnu/libstdc++.so.6.0.30",
    "ld-linux-x86-64.so.2",
    "libimpasse.so",
};
constexpr std::string_view kFiles[] = {
    "pthread_mutex_lock.c",
    "./nptl/pthread_mutex_lock.c",
    "pthread_create.c",
    "./nptl/pthread_create.c",
    "libc_start_call_main.h",
    "lowlevellock.c",
    "gthr-default.h",
    "/usr/include/x86_64-linux-gnu/c++/12/bits/gthr-default.h",
    "std_mutex.h",
    "/usr/include/c++/12/bits/std_mutex.h",
    "unique_lock.h",
    "/usr/include/c++/12/bits/unique_lock.h",
    "/usr/include/c++/12/mutex",
    "shared_mutex",
    "/usr/include/c++/12/shared_mutex",
    "condition_variable",
    "/usr/include/c++/12/condition_variable",
    "condition_variable.cc",
    "pthread_cond_wait.c",
    "./nptl/pthread_cond_wait.c",
    "sem_wait.c",
    "./nptl/sem_wait.c",
    "/usr/include/c++/12/bits/std_thread.h",
};

std::span<const std::string_view> commonplaces(PlaceKind kind) {
  switch (kind) {
    case PlaceKind::kFunction:
      return kFunctions;
    case PlaceKind::kModule:
      return kModules;
    case PlaceKind::kFile:
      break;
  }
  return kFiles;
}

// A primitive with any template arguments: `std::lock_guard<Mine>*` names nothing else.
bool is_wrapper_of_the_library(std::string_view glob) {
  constexpr std::string_view kStarts[] = {"std::lock_guard",
                                          "std::unique_lock",
                                          "std::scoped_lock",
                                          "std::shared_lock",
                                          "std::shared_mutex",
                                          "std::mutex::",
                                          "std::recursive_mutex",
                                          "std::timed_mutex",
                                          "std::shared_timed_mutex",
                                          "__gthread_",
                                          "pthread_mutex_",
                                          "pthread_rwlock_",
                                          "pthread_spin_",
                                          "mtx_",
                                          "pthread_cond_",
                                          "cnd_",
                                          "pthread_barrier_",
                                          "std::condition_variable",
                                          "std::__condvar",
                                          "sem_wait",
                                          "sem_post",
                                          "sem_timedwait",
                                          "sem_clockwait"};
  for (const std::string_view start : kStarts) {
    if (glob.starts_with(start)) return true;
  }
  return false;
}

}  // namespace

std::string_view commonplace_in(const PlaceGlob& place) {
  for (const std::string_view name : commonplaces(place.kind)) {
    if (matches_glob(place.glob, name)) return name;
  }
  const bool wrapper = place.kind == PlaceKind::kFunction && is_wrapper_of_the_library(place.glob);
  return wrapper ? std::string_view(place.glob) : std::string_view();
}

}  // namespace impasse::report
