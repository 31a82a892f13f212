// What every driver of this folder is made of: a table of cases, and an output that is the same in
// every run of the same case. Promises: `say` writes whole lines straight to descriptor 1, so that
// nothing waits in a buffer that a fork could double or an _exit could lose, and it allocates
// nothing, so that a program with its own malloc can use it from everywhere.
#pragma once

#include <span>

namespace transparency {

struct Case {
  const char* name;
  void (*run)();
};

// `DRIVER CASE` runs one case and ends it with the line "ok"; `DRIVER --list` names the cases;
// `DRIVER --am-i-preloaded NAME` says whether the shared object NAME was loaded ahead of libc.
int run_driver(int argc, char** argv, std::span<const Case> cases);

void say(const char* format, ...) __attribute__((format(printf, 1, 2)));

// Ends the process with status 3 and a line that names the place, when `condition` is false.
void require(bool condition, const char* what, const char* file = __builtin_FILE(),
             int line = __builtin_LINE());

// The path of the running driver, for those that start themselves again.
const char* own_path();

}  // namespace transparency
