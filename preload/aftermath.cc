#include "preload/aftermath.h"

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>
#include <string_view>

#include "interpose/real.h"
#include "interpose/session.h"
#include "witness/own_output.h"

namespace impasse {
namespace {

// One after the other, each five seconds at most: those that wait behind it are let go.
constexpr std::uint64_t kHookPatienceNs = 6'000'000'000;

// Whatever the program does with SIGABRT: as abort() ends it, for good.
[[noreturn]] void abort_process() {
  struct sigaction plain {};
  plain.sa_handler = SIG_DFL;
  sigset_t open;
  sigemptyset(&open);
  sigaddset(&open, SIGABRT);
  constexpr int kTries = 100;  // another thread may install its handler again and again
  for (int i = 0; i < kTries; ++i) {
    sigaction(SIGABRT, &plain, nullptr);
    pthread_sigmask(SIG_UNBLOCK, &open, nullptr);
    syscall(SYS_tgkill, syscall(SYS_getpid), syscall(SYS_gettid), SIGABRT);
  }
  // The first process of a container is not killed by what it does not handle.
  constexpr int kAsShellsTellIt = 128 + SIGABRT;
  real::call(real::_exit)(kAsShellsTellIt);
  __builtin_unreachable();
}

}  // namespace

Aftermath::Aftermath(const Options& options)
    : options_(options),
      log_(options.log.c_str()),
      hook_(options.on_finding.is("off") ? "" : options.on_finding.c_str()) {}

void Aftermath::reported(const witness::Reported& what) {
  constexpr std::string_view kOurName = "impasse: ";  // every line of the log has it already
  const bool named = what.line.starts_with(kOurName);
  log_.info((what.first ? "reported: " : "told again: ") +
            what.line.substr(named ? kOurName.size() : 0));
  if (what.first) hook_.run({finding_word(what.kind), what.text_path, what.json_path});
  const bool deadlock = what.kind == FindingKind::kDeadlock ||
                        what.kind == FindingKind::kSelfDeadlock ||
                        what.kind == FindingKind::kOrphanedLock;
  if (deadlock && what.stuck && options_.on_deadlock != OnDeadlock::kReport) ends_process_ = true;
}

void Aftermath::without_ledger_file(int error) {
  log_.warn("the ledger cannot be kept in " + std::string(options_.ledger.view()) + " (" +
            strerrordesc_np(error) + "); impasse dump, stats and graph cannot see this process");
}

void Aftermath::suppressed(FindingKind kind, const std::string& rule) {
  log_.info(std::string("suppressed: a ") + finding_word(kind) + ", by rule " + rule);
}

// Every time in the log, once where it is seen.
void Aftermath::complain(const std::string& trouble) {
  log_.warn(trouble);
  if (!complained_ && !options_.log.is("stderr")) {
    witness::write_to_stderr("impasse: " + trouble + "\n");
  }
  complained_ = true;
}

void Aftermath::act(witness::Witness& witness, std::uint64_t now_ns) {
  const witness::Hook::News news = hook_.tend(now_ns);
  if (!news.outcome.empty()) log_.info(news.outcome);
  if (!news.trouble.empty()) complain(news.trouble);
  if (!ends_process_ || witness.naming()) return;
  if (ends_since_ns_ == 0) ends_since_ns_ = now_ns;
  if (hook_.starting() && now_ns - ends_since_ns_ < kHookPatienceNs) return;
  witness.say_last_words();
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
