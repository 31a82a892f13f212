// Processes that a situation starts besides its own.
#pragma once

#include <sys/types.h>

#include <functional>

namespace facts {

// Runs `play` in a forked child, which then ends with exit status 0 and does not outlive its
// parent. Returns its number.
pid_t forked(const std::function<void()>& play);

// The child must end by itself, well.
void must_end_well(pid_t child);

// A byte that one process sends and another waits for. Made before the fork.
class Nudge {
 public:
  Nudge();
  void send() const;
  void await() const;

 private:
  int ends_[2] = {};
};

}  // namespace facts
