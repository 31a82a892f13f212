// What this process has of impasse: whether it watches, its ledger, its watchdog.
//
// Everything is made lazily: until a second thread is created or a thread blocks, a process has
// only a static slot for its main thread. Plain constant-initialized state; nothing is ever torn
// down, since other threads run on during exit.
#pragma once

#include <atomic>
#include <cstdint>

#include "detector/ledger.h"
#include "options/options.h"

namespace impasse {

// Called once by the constructor; functions answered before that work as if with default options.
void start_session(const Options& options);
// Every thread's calls pass straight through from now on.
void switch_off();
bool switched_off();
// Numbers of all locks are collected (stats=on).
bool counts_locks();

// Makes the ledger, moves the main thread's facts into it and starts the watchdog, unless that was
// done.
void begin_watching();
// Null before begin_watching(), or where no memory could be had.
extern constinit std::atomic<Ledger*> live_ledger __attribute__((visibility("hidden")));
inline Ledger* ledger() {
  return live_ledger.load(std::memory_order_acquire);
}

// A clean end: the outside view goes away. Safe in a vfork child, which must not take its parent's
// away.
void end_session();

// The lock at this address, or any lock in this memory, is no more.
void lock_gone(std::uint64_t address);
void memory_gone(std::uint64_t start, std::uint64_t bytes);
// One hold of the lock that a thread which is gone left behind was released after all.
void hold_gone(std::uint64_t lock);

// ---- the process forks: before, and in parent and child after
void before_fork();
void after_fork_in_parent();
void after_fork_in_child();
// Our fork handlers come first in the child; so they are registered before anybody else's.
void register_fork_handlers();

std::uint64_t monotonic_ns();

}  // namespace impasse
