// Child processes of a case: waiting for them, and looking after what they may leave in /dev/shm.
#pragma once

#include <sys/types.h>

namespace transparency {

// Waits for `pid` and returns a text such as "exit 0" or "signal 9" (one static buffer per
// thread). A child that ended by itself must have left no ledger: that would be said in the text.
// What a killed one left is removed, because nobody will come to read it.
const char* end_of(pid_t pid);

}  // namespace transparency
