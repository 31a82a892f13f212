// Knowing that a thread has really blocked, without sleeping and hoping: the kernel says which
// futex it sleeps on. Each look is repeated until it is so, and for ten seconds at most.
#pragma once

#include <pthread.h>
#include <sys/types.h>

#include <cstddef>

namespace facts {

// Returns once thread `tid` (of this process, or of process `pid`) sleeps in futex() on a word
// inside [object, object + size).
void until_blocked(pid_t tid, const volatile void* object, size_t size);
void until_blocked(pid_t pid, pid_t tid, const volatile void* object, size_t size);

template <typename Object>
void until_blocked(pid_t tid, const Object& object) {
  until_blocked(tid, &object, sizeof object);
}

// … waits for the end of `thread`, which must be running.
void until_joining(pid_t tid, pthread_t thread);

// The kernel has forgotten this thread of this process.
void until_gone(pid_t tid);

}  // namespace facts
