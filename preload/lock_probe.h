// What libc's own words say of a lock: who has it, and how it treats those who wait.
//
// Promises: reads the lock through the kernel, so that one whose memory is gone is an answer and
// not a crash. For our own thread; one system call.
#pragma once

#include "detector/lock_probe.h"

namespace impasse {

LockState probe_lock(std::uint64_t lock, LockKind kind);

}  // namespace impasse
