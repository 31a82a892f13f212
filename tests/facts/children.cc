#include "children.h"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "situation.h"

namespace facts {

pid_t forked(const std::function<void()>& play) {
  const pid_t child = fork();
  must(child >= 0);
  if (child != 0) return child;
  must(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
  play();
  std::exit(0);
}

void must_end_well(pid_t child) {
  int status = 0;
  must(waitpid(child, &status, 0) == child);
  must(status == 0);
}

Nudge::Nudge() {
  must(pipe(ends_) == 0);
}

void Nudge::send() const {
  must(write(ends_[1], "!", 1) == 1);
}

void Nudge::await() const {
  char byte = 0;
  must(read(ends_[0], &byte, 1) == 1);
}

}  // namespace facts
