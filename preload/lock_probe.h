// What libc's own words say of a lock: who has it, and how it treats those who wait; what the
// kernel says of a thread that waits for it.
//
// Promises: reads the lock through the kernel, so that one whose memory is gone is an answer and
// not a crash. For our own thread; one system call for a lock, some 10 µs for a thread.
#pragma once

#include "detector/lock_probe.h"

namespace impasse {

LockState probe_lock(std::uint64_t lock, LockKind kind);
Sleep probe_sleep(std::uint32_t tid, WaitKind kind, std::uint64_t object);

}  // namespace impasse
