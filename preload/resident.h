// Code that has done its work leaves memory: what is needed to start, to load libunwind or to make
// a report is many times what an idle process needs.
//
// Promises: gives back only pages that are the file's own (/proc/self/pagemap says so); one that a
// debugger has written a breakpoint into, and everything that the loader relocated, stays. Whoever
// needs a page again finds it in the kernel's cache of the file. Where the kernel does not tell
// (a process that may not be traced) or does not allow it (locked memory), everything stays.
// Cost: 0.1 ms each time; then one soft page fault for every 64 KiB of code that is used again.
#pragma once

namespace impasse {

class Resident {
 public:
  // After each turn of the watchdog. `at_work`: reports are made, named or told of.
  void after_turn(bool at_work);

 private:
  // A report seldom comes alone.
  static constexpr unsigned kRestAfterTurns = 4;

  unsigned quiet_turns_ = 0;
};

}  // namespace impasse
