// The calling thread's slot.
#pragma once

#include <cerrno>

#include "detector/ledger.h"

namespace impasse {

// Null: this thread has none (yet). Initial-exec: one instruction, no call.
extern thread_local constinit ThreadSlot* current_slot
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

// The slot of this thread, attaching it now if it may have one; null when its calls are to pass
// straight through (our own threads, a thread after its end, impasse switched off, no room). Keeps
// errno.
ThreadSlot* attach_current();

// This thread has this slot from now on.
void enter_slot(ThreadSlot& slot);

// From now on this thread's calls pass straight through. The place that it had, or null.
ThreadSlot* detach_current();

// Our own work in a program's thread leaves errno as the program had it.
class ErrnoKept {
 public:
  ErrnoKept() : value_(errno) {}
  ~ErrnoKept() { errno = value_; }
  ErrnoKept(const ErrnoKept&) = delete;
  ErrnoKept& operator=(const ErrnoKept&) = delete;

 private:
  int value_;
};

}  // namespace impasse
