// Work of ours that may crash (debug information can be damaged, files can be truncated while they
// are mapped), kept from taking the program with it.
//
// While a thread of ours works under guard, SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT are ours,
// process-wide; otherwise nothing is installed. When such a fault is the working thread's own, its
// stack goes to `dump_path` (boost::stacktrace::safe_dump_to: raw return addresses), one line goes
// to stderr, and run_guarded() returns false: what the work had taken is lost, its destructors did
// not run, and the thread should end. It ends by returning from its function, so that libc counts
// it and whoever joins it goes on. If not even the way back is left, the thread ends at once.
//
// Everything else that arrives meanwhile gets what the program had chosen: its handler is called in
// the same place, with the same mask and on the same stack as by the kernel; a default action is
// put back and happens. If the program changes its choice meanwhile, the change stays.
// Limits: a thread of ours that overflows its stack while the program's own handler does not use an
// alternate stack ends the process; what kill() sends to the process and meets a thread of ours
// reaches the program as if by sigqueue(); a program that is executed anew meanwhile does not
// inherit SIG_IGN for these signals.
//
// Promises: no lock that the program could hold, no malloc. Cost: 20 system calls.
#pragma once

namespace impasse::symbolize {

// On a thread of ours that has all signals blocked; not nested. `dump_path` stays as it is
// meanwhile; nullptr: no file is written.
bool run_guarded(const char* dump_path, void (*work)(void* argument), void* argument);

template <typename Work>
bool run_guarded(const char* dump_path, Work& work) {
  return run_guarded(
      dump_path, [](void* argument) { (*static_cast<Work*>(argument))(); }, &work);
}

// In a forked child, whose thread of ours is gone: takes back what is installed.
void forget_guards();

}  // namespace impasse::symbolize
