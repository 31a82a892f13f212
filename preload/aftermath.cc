#include "preload/aftermath.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "interpose/real.h"
#include "interpose/session.h"

namespace impasse {
namespace {

// Whatever the program does with SIGABRT: as abort() ends it, for good.
[[noreturn]] void abort_process() {
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  sigaction(SIGABRT, &plain, nullptr);
  sigset_t open;
  sigemptyset(&open);
  sigaddset(&open, SIGABRT);
  pthread_sigmask(SIG_UNBLOCK, &open, nullptr);
  for (;;) syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid), SIGABRT);
}

}  // namespace

Aftermath::Aftermath(const Options& options)
    : options_(options),
      log_(options.log.c_str()),
      hook_(options.on_finding.is("off") ? "" : options.on_finding.c_str()) {}

void Aftermath::reported(const witness::Reported& what) {
  log_.info((what.first ? "reported: " : "told again: ") + what.line);
  if (what.first) hook_.run({finding_word(what.kind), what.text_path, what.json_path});
  const bool deadlock = what.kind == FindingKind::kDeadlock ||
                        what.kind == FindingKind::kSelfDeadlock ||
                        what.kind == FindingKind::kOrphanedLock;
  if (deadlock && options_.on_deadlock != OnDeadlock::kReport) ends_process_ = true;
}

void Aftermath::act(bool naming, std::uint64_t now_ns) {
  const std::string trouble = hook_.tend(now_ns);
  if (!trouble.empty()) log_.warn(trouble);
  if (!ends_process_ || naming || hook_.starting()) return;
  if (options_.on_deadlock == OnDeadlock::kAbort) {
    log_.info("on_deadlock=abort: the process is ended");
    abort_process();
  }
  log_.info("on_deadlock=exit: the process is ended");
  // Not exit(): its handlers may wait for what is locked for ever.
  end_session();
  constexpr int kFoundSomething = 1;
  real::call(real::_exit)(options_.exit_code != 0 ? static_cast<int>(options_.exit_code)
                                                  : kFoundSomething);
}

}  // namespace impasse
