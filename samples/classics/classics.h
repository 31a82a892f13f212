// The deadlocks of the textbooks, and what looks like one and is none.
//
// Each is a function that returns the exit status, 0 if all went well; one that is stuck does not
// return. With `repaired` the same work is done as it should be.
#pragma once

#include "sample.h"

namespace classics {

using Classic = int (*)(const samples::Arguments& arguments, bool repaired);

// cycles.cc
int three_way(const samples::Arguments& arguments, bool repaired);
int philosophers(const samples::Arguments& arguments, bool repaired);
int rwlock_mix(const samples::Arguments& arguments, bool repaired);
int join_under_lock(const samples::Arguments& arguments, bool repaired);

// departed.cc
int exited_holder(const samples::Arguments& arguments, bool repaired);
int fork_held(const samples::Arguments& arguments, bool repaired);

// interrupted.cc
int signal_relock(const samples::Arguments& arguments, bool repaired);
int unseen_relock(const samples::Arguments& arguments, bool repaired);

// ticking.cc: everybody waits, and a timer wakes nobody
int ticking_unheard(const samples::Arguments& arguments, bool repaired);
int ticking_unhandled(const samples::Arguments& arguments, bool repaired);

// signalled.cc: stuck within a wait for a condition, on its way out
int signalled_holding(const samples::Arguments& arguments, bool repaired);
int signalled_in_time(const samples::Arguments& arguments, bool repaired);
int signalled_join(const samples::Arguments& arguments, bool repaired);

// spinning.cc
int spin_self(const samples::Arguments& arguments, bool repaired);
int spin_abba(const samples::Arguments& arguments, bool repaired);

// initializing.cc
int once_self(const samples::Arguments& arguments, bool repaired);
int once_abba(const samples::Arguments& arguments, bool repaired);

// loading.cc
int loader(const samples::Arguments& arguments, bool repaired);

// crowd.cc: 2,000 threads behind one lock
int crowd(const samples::Arguments& arguments, bool repaired);

// Healthy from the beginning: these end well, repaired or not.
// interrupted.cc
int handler_on_wait(const samples::Arguments& arguments, bool repaired);
// orderly.cc
int recursive(const samples::Arguments& arguments, bool repaired);
int trylock_backoff(const samples::Arguments& arguments, bool repaired);
int timed(const samples::Arguments& arguments, bool repaired);
int hand_over_hand(const samples::Arguments& arguments, bool repaired);
int remade_lock(const samples::Arguments& arguments, bool repaired);
int robust_owner(const samples::Arguments& arguments, bool repaired);
// patient.cc
int idle_pool(const samples::Arguments& arguments, bool repaired);
int futures(const samples::Arguments& arguments, bool repaired);
int long_join(const samples::Arguments& arguments, bool repaired);
// ticking.cc: everybody waits for a timer
int ticking(const samples::Arguments& arguments, bool repaired);
int ticking_made(const samples::Arguments& arguments, bool repaired);
int ticking_thread(const samples::Arguments& arguments, bool repaired);

}  // namespace classics
