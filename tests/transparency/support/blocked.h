// Knowing that a thread has really blocked, without sleeping and hoping: the kernel says which
// futex it sleeps on.
#pragma once

#include <sys/types.h>

#include <cstddef>

namespace transparency {

// Returns once thread `tid` of this process, or of process `pid`, sleeps in futex() on a word
// inside [object, object + size).
void wait_until_blocked_on(pid_t tid, const volatile void* object, size_t size);
void wait_until_blocked_on(pid_t pid, pid_t tid, const volatile void* object, size_t size);

// The same for a thread in any system call with this number (a join, a read).
void wait_until_in_call(pid_t tid, long number);

template <typename Object>
void wait_until_blocked_on(pid_t tid, const Object& object) {
  wait_until_blocked_on(tid, &object, sizeof object);
}

}  // namespace transparency
