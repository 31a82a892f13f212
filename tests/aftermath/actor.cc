// aftermath_actor STEP [ARGUMENT] ...: does what it is told, one step after the other, and ends
// with 0 if nothing else was said. It is what tests of reports, hooks and endings play with.
#include "actor.h"

#include <sys/prctl.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

using namespace actor;

constexpr Step kSteps[] = {
    {"deadlock", 0, deadlock},
    {"misuse", 1, misuse},
    {"await", 1, await_file},
    {"await-end-of", 1, await_end_of_file},
    {"await-signals", 1, await_signals},
    {"busy", 1, be_busy},
    {"journal", 1, keep_journal},
    {"say", 1, say},
    {"print", 1, print},
    {"at-exit", 1, print_at_exit},
    {"exit", 1, exit_with},
    {"end-main-thread", 0, end_main_thread},
    {"end-last-thread", 0, end_last_thread},
    {"lock-stdout", 0, lock_stdout},
    {"leave-lock", 0, leave_lock},
    {"want-left-lock", 0, want_left_lock},
    {"lose-ball", 0, lose_ball},
    {"look-on", 1, look_on},
    {"wait-long", 0, wait_long},
    {"close-circle", 0, close_circle},
    {"come-late", 0, come_late},
    {"chdir", 1, change_directory},
    {"umask", 1, change_umask},
    {"limit-files", 1, limit_files},
    {"limit-processes", 1, limit_processes},
    {"become-nobody", 0, become_nobody},
    {"close-stderr", 0, close_stderr},
    {"replace-stderr", 1, replace_stderr},
    {"fill-stderr", 0, fill_stderr},
    {"open", 1, open_for_good},
    {"handle", 1, handle_signal},
    {"ignore", 1, ignore_signal},
    {"environment", 1, change_environment_often},
    {"filter", 1, install_filter},
    {"killing-filter", 0, install_killing_filter},
    {"reads-kill", 0, filter_reads},
    {"nest-in-fibre", 0, nest_in_fibre},
    {"fork-holding", 1, fork_holding},
    {"fork", 1, fork_one},
    {"fork-stuck", 0, fork_stuck},
    {"vfork", 1, vfork_one},
    {"wait-for-children", 1, look_for_children},
};

const Step* step_named(const char* name) {
  for (const Step& step : kSteps) {
    if (std::strcmp(step.name, name) == 0) return &step;
  }
  std::fprintf(stderr, "no such step: %s\n", name);
  std::_Exit(2);
}

}  // namespace

int main(int argc, char** argv) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  for (int i = 1; i < argc;) {
    const Step* const step = step_named(argv[i]);
    if (i + step->arguments >= argc) {
      std::fprintf(stderr, "%s needs an argument\n", step->name);
      return 2;
    }
    step->run(argv[i + step->arguments]);
    i += 1 + step->arguments;
  }
  return 0;
}
