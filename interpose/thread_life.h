// Threads are met at their start and at their very end, and counted in between: the watchdog must
// not keep a process alive whose last thread has ended (pthread_exit in main).
#pragma once

#include "detector/ledger.h"

namespace impasse {

// Once, from the constructor: reserves the thread-specific key whose destructor tells a thread's
// end. Early, because libc needs no memory for the first 32 keys.
void prepare_thread_ends();
// The calling thread's end is to be noticed.
void watch_thread_end();

// The calling thread counts from now on, if it does not yet (libc did not make it for our answer).
void count_this_thread();
void thread_is_made();
void thread_was_not_made();
// In a forked child: the caller is the only one.
void forget_thread_count();

// What a new thread is to run.
struct Start {
  void* function;
  void* argument;
};
// Readies it for a new thread, in that thread's slot or, where none is left, in a page of its own.
// Null: not even a page could be had.
// `attributes`: the pthread_attr_t that the thread is made with, or null. `stack_pointer`: the
// maker's.
void* pack_start(const Start& start, const void* attributes, std::uint64_t stack_pointer);
void discard_start(void* packed);
// In the new thread, which becomes the slot's.
Start unpack_start(void* packed);
// The thread has left its function, or is about to.
void thread_leaves();

}  // namespace impasse
