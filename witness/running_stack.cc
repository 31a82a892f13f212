#include "witness/running_stack.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>

#include "system/kernel_text.h"
#include "system/proc_files.h"
#include "system/tasks.h"
#include "witness/answer.h"

namespace impasse::witness {
namespace {

constexpr std::size_t kMapsBytes = std::size_t{4} << 20;
constexpr std::uint64_t kCopyingWithinNs = 10'000'000;  // for one that has begun to answer
constexpr long kPauseNs = 20'000;
// Below SIGRTMAX, because programs take theirs from SIGRTMIN upwards and some from the very top.
constexpr int kBelowMost = 3;

// What only the asking thread knows.
struct Asker {
  int signal = 0;
  std::uint64_t sent = 0;  // compared with Mailbox::answered
  // Threads whose signal may still be on its way.
  std::array<std::uint32_t, 16> owing{};
  std::size_t owing_used = 0;
  bool owing_filtered = false;
};
constinit Asker asker;

std::uint64_t now_ns() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

bool gone(std::uint32_t tid) {
  return syscall(SYS_tgkill, mailbox.pid, tid, 0) != 0 && errno == ESRCH;
}

// A forked child has one thread, and that one is not in the handler: nothing is on its way.
void begin_anew_after_fork() {
  const int pid = getpid();
  if (mailbox.pid == pid) return;
  mailbox.pid = pid;
  mailbox.word.store(mailbox_word(0, Phase::kFree), std::memory_order_relaxed);
  mailbox.answered.store(0, std::memory_order_relaxed);
  const int signal = asker.signal;
  asker = Asker{};
  asker.signal = signal;  // handlers are inherited
}

// Who has answered late, or will not any more, owes nothing.
void settle() {
  const bool all_answered = mailbox.answered.load(std::memory_order_acquire) >= asker.sent;
  const bool all_gone =
      std::all_of(asker.owing.begin(), asker.owing.begin() + asker.owing_used, gone);
  if (!all_answered && !all_gone) return;
  asker.sent = mailbox.answered.load(std::memory_order_acquire);
  asker.owing_used = 0;
  asker.owing_filtered = false;
}

// INV-MAILBOX-1: back into the asker's hands, unless a handler still copies.
bool mailbox_is_ours() {
  const std::uint64_t word = mailbox.word.load(std::memory_order_acquire);
  if ((word & 0xffff'ffff) == static_cast<std::uint32_t>(Phase::kCopying)) {
    if (!gone(static_cast<std::uint32_t>(word >> 32))) return false;
  }
  mailbox.word.store(mailbox_word(0, Phase::kFree), std::memory_order_relaxed);
  return true;
}

bool is_installed(int signal) {
  struct sigaction present {};
  return sigaction(signal, nullptr, &present) == 0 && (present.sa_flags & SA_SIGINFO) != 0 &&
         present.sa_sigaction == answer;
}

bool install(int signal) {
  struct sigaction present {};
  if (sigaction(signal, nullptr, &present) != 0) return false;
  const bool unused = (present.sa_flags & SA_SIGINFO) == 0 && present.sa_handler == SIG_DFL;
  if (!unused) return false;
  struct sigaction wanted {};
  wanted.sa_sigaction = answer;
  wanted.sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK;
  sigfillset(&wanted.sa_mask);
  if (sigaction(signal, &wanted, &present) != 0) return false;
  // The program installed one at this very moment: it has it back.
  if ((present.sa_flags & SA_SIGINFO) == 0 && present.sa_handler == SIG_DFL) return true;
  sigaction(signal, &present, nullptr);
  return false;
}

bool blocks(const system::TaskLook& look, int signal) {
  return (look.blocked_signals >> (signal - 1) & 1) != 0;
}

// The one that is installed, as long as the program leaves it to us; or else a free one.
Asked choose_signal(const system::TaskLook& look, int& signal) {
  signal = asker.signal;
  if (signal != 0 && is_installed(signal)) {
    return blocks(look, signal) ? Asked::kBlocked : Asked::kGiven;
  }
  Asked why_not = Asked::kNoSignal;
  for (signal = SIGRTMAX - kBelowMost; signal >= SIGRTMIN; --signal) {
    if (blocks(look, signal)) {
      why_not = Asked::kBlocked;
    } else if (install(signal)) {
      asker.signal = signal;
      return Asked::kGiven;
    }
  }
  return why_not;
}

// Writable memory as it is mapped now. What does not fit is left out: less is copied then.
void list_areas() {
  mailbox.areas_used = 0;
  mailbox.main_stack = {};
  std::string maps;
  if (system::ProcFiles().read(static_cast<std::uint32_t>(syscall(SYS_gettid)), "maps", maps,
                               kMapsBytes) != 0) {
    return;
  }
  std::string_view rest = maps;
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(line.size() + 1, rest.size()));
    const std::string_view range = system::column(line, 0);
    const std::size_t dash = std::min(range.find('-'), range.size());
    Area area{};
    if (dash == range.size() || !system::parse_number(range.substr(0, dash), 16, area.start) ||
        !system::parse_number(range.substr(dash + 1), 16, area.end) ||
        !system::column(line, 1).starts_with("rw")) {
      continue;
    }
    if (line.ends_with("[stack]")) mailbox.main_stack = area;
    if (mailbox.areas_used < mailbox.areas.size()) mailbox.areas[mailbox.areas_used++] = area;
  }
}

// False: a handler has taken the question.
bool withdraw(std::uint32_t tid) {
  std::uint64_t word = mailbox_word(tid, Phase::kAsked);
  return mailbox.word.compare_exchange_strong(word, mailbox_word(0, Phase::kFree),
                                              std::memory_order_acquire);
}

bool given_until(std::uint32_t tid, std::uint64_t deadline_ns) {
  while (mailbox.word.load(std::memory_order_acquire) != mailbox_word(tid, Phase::kGiven)) {
    if (now_ns() >= deadline_ns) return false;
    const timespec pause{0, kPauseNs};
    nanosleep(&pause, nullptr);
  }
  return true;
}

// Sends the question's signal. kGiven: now an answer has to be waited for.
Asked send(std::uint32_t tid, int signal) {
  // What was true when the signal was chosen was some 50 µs ago.
  if (look_at_call(system::ProcFiles(), tid).form != system::CallForm::kRunning) {
    return Asked::kNotRunning;
  }
  ++asker.sent;
  if (syscall(SYS_tgkill, mailbox.pid, tid, signal) == 0) return Asked::kGiven;
  --asker.sent;
  return errno == ESRCH ? Asked::kGone : Asked::kNoAnswer;
}

Asked send_and_wait(std::uint32_t tid, bool filtered, int signal, std::uint64_t within_ns) {
  const Asked sent = send(tid, signal);
  // A signal that this thread was sent long before may have come just now and bring the answer.
  if (sent != Asked::kGiven && withdraw(tid)) return sent;
  if (given_until(tid, now_ns() + within_ns)) return Asked::kGiven;
  if (!withdraw(tid) && given_until(tid, now_ns() + kCopyingWithinNs)) return Asked::kGiven;
  asker.owing[asker.owing_used++] = tid;
  asker.owing_filtered |= filtered;
  return Asked::kNoAnswer;
}

}  // namespace

Asked ask_running_thread(std::uint32_t tid, RunningStack& stack, std::uint64_t within_ns) {
  stack = {};
  begin_anew_after_fork();
  const system::TaskLook look = look_at_task(system::ProcFiles(), tid);
  if (look.call.form == system::CallForm::kGone) return Asked::kGone;
  if (look.asleep()) return Asked::kNotRunning;
  if (look.call.form != system::CallForm::kRunning || !look.signals_known) return Asked::kNotTold;
  settle();
  // INV-MAILBOX-2
  const bool owed = asker.owing_used != 0;
  if ((owed && (look.filtered || asker.owing_filtered)) || asker.owing_used == asker.owing.size() ||
      !mailbox_is_ours()) {
    return Asked::kStillAnswering;
  }
  int signal = 0;
  if (const Asked chosen = choose_signal(look, signal); chosen != Asked::kGiven) return chosen;
  if (look.filtered) list_areas();
  mailbox.filtered.store(look.filtered, std::memory_order_relaxed);
  mailbox.word.store(mailbox_word(tid, Phase::kAsked), std::memory_order_release);
  const Asked asked = send_and_wait(tid, look.filtered, signal, within_ns);
  if (asked == Asked::kGiven) {
    stack.registers = mailbox.registers;
    stack.address = mailbox.address;
    stack.bytes = mailbox.bytes.data();
    stack.size = mailbox.size;
  }
  return asked;
}

int running_stack_signal() {
  return asker.signal;
}

const char* trouble_words(Asked asked) {
  switch (asked) {
    case Asked::kGiven:
      return "";
    case Asked::kNotRunning:
      return "it ran, and went to sleep before it could be asked for its stack";
    case Asked::kGone:
      return "it has ended";
    case Asked::kBlocked:
      return "it runs and blocks signals, so that it cannot be asked for its stack";
    case Asked::kNoSignal:
      return "it runs, and the program leaves no real-time signal to ask it for its stack";
    case Asked::kNotTold:
      return "it runs, and the kernel does not tell whether it may be asked for its stack";
    case Asked::kNoAnswer:
      return "it runs, and did not answer in time when asked for its stack";
    case Asked::kStillAnswering:
      return "it runs, and was not asked for its stack: a thread asked before has yet to answer";
  }
  return "";
}

}  // namespace impasse::witness
