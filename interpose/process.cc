// The program's processes: forks, and clean ends.
#include "interpose/answer.h"

extern "C" void* __dso_handle;

namespace impasse {

void register_fork_handlers() {
  static constinit std::atomic<bool> registered{false};
  if (registered.exchange(true, std::memory_order_acq_rel)) return;
  real::call(real::__register_atfork)(before_fork, after_fork_in_parent, after_fork_in_child,
                                      &__dso_handle);
}

}  // namespace impasse

using namespace impasse;

// What pthread_atfork() calls. Handlers run in a child in the order in which they were registered,
// and the program's may unlock: ours come first.
IMPASSE_ANSWER(int, __register_atfork, (void (*p)(), void (*a)(), void (*c)(), void* d)) {
  register_fork_handlers();
  return real::call(real::__register_atfork)(p, a, c, d);
}

// fork() without handlers.
IMPASSE_ANSWER(pid_t, _Fork, ()) {
  before_fork();
  const pid_t answer = real::call(real::_Fork)();
  if (answer == 0) {
    after_fork_in_child();
  } else {
    after_fork_in_parent();
  }
  return answer;
}

IMPASSE_ANSWER(void, _exit, (int s)) {
  end_session();
  real::call(real::_exit)(s);
}

IMPASSE_ANSWER(void, _Exit, (int s)) {
  end_session();
  real::call(real::_Exit)(s);
}
