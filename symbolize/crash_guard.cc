#include "symbolize/crash_guard.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdio>

#include "symbolize/kernel_signals.h"

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#include <boost/stacktrace/safe_dump_to.hpp>
#pragma GCC diagnostic pop

namespace impasse::symbolize {
namespace {

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};
constexpr std::uint64_t kTheirBits = signal_bit(SIGSEGV) | signal_bit(SIGBUS) | signal_bit(SIGFPE) |
                                     signal_bit(SIGILL) | signal_bit(SIGABRT);
constexpr std::size_t kStackBytes = std::size_t{64} << 10;

struct Guarded {
  const char* dump_path;
  void* back[5];  // of __builtin_setjmp: libc's longjmp() looks at more than we can vouch for
  bool crashed;
};

// What the program had chosen for a signal.
struct Theirs {
  KernelAction action;
  // What our handler stands for when it is called outside of a guard, or by another handler: one
  // that the program installed while ours was in place may have found ours and call it.
  KernelAction stands_for;
  bool replaced = false;  // there is such a handler
  bool installed = false;
};

constinit Theirs theirs[NSIG] = {};
constinit std::atomic<unsigned> guards{0};
constinit std::atomic<bool> changing{false};  // theirs and guards, by a thread of ours
constinit thread_local Guarded* guarded __attribute__((tls_model("initial-exec"))) = nullptr;

// Held for a few system calls, by threads of ours that have signals blocked.
class Changing {
 public:
  Changing() {
    while (changing.exchange(true, std::memory_order_acquire)) syscall(SYS_sched_yield);
  }
  ~Changing() { changing.store(false, std::memory_order_release); }
  Changing(const Changing&) = delete;
  Changing& operator=(const Changing&) = delete;
};

bool is_fault(int signal, const siginfo_t& info) {
  // abort() sends to its own thread.
  if (signal == SIGABRT) {
    return info.si_code == SI_TKILL && info.si_pid == static_cast<pid_t>(syscall(SYS_getpid));
  }
  return info.si_code > 0;
}

void say_crash(int signal, const Guarded& here) {
  char line[512];
  const int length =
      snprintf(line, sizeof line,
               "impasse: a part of impasse crashed (signal %d) and was stopped; the program goes "
               "on%s%s\n",
               signal, here.dump_path != nullptr ? "; where: " : "",
               here.dump_path != nullptr ? here.dump_path : "");
  const std::size_t bytes = std::min(static_cast<std::size_t>(length), sizeof line - 1);
  static_cast<void>(!write(STDERR_FILENO, line, bytes));
}

[[noreturn]] void end_crashed(int signal) {
  Guarded& here = *guarded;
  // A crash on the way out ends the thread at once.
  if (here.crashed) {
    for (;;) syscall(SYS_exit, 0);
  }
  here.crashed = true;
  kernel_mask(SIG_UNBLOCK, kTheirBits, nullptr);
  say_crash(signal, here);
  if (here.dump_path != nullptr) boost::stacktrace::safe_dump_to(here.dump_path);
  __builtin_longjmp(here.back, 1);
}

// A signal that was sent to the process and met one of our threads: another thread is to take it.
void pass_on(int signal, const siginfo_t& info, ucontext_t& context) {
  kernel_mask(SIG_BLOCK, signal_bit(signal), nullptr);
  sigaddset(&context.uc_sigmask, signal);
  send_again(signal, info);
}

void act_as(const KernelAction& action, int signal, siginfo_t* info, void* context) {
  constexpr std::uint64_t kOnce = SA_RESETHAND;
  if (action.is_ignored() && info->si_code <= 0) return;
  if (!action.is_default() && !action.is_ignored() && (action.flags & kOnce) == 0) {
    action.handler(signal, info, context);
    return;
  }
  // The kernel itself does the rest: a fault happens again as soon as we return, anything else is
  // sent again.
  kernel_action(signal, &action, nullptr);
  if (info->si_code <= 0) send_again_here(signal, info);
}

void handle(int signal, siginfo_t* info, void* context) {
  const Theirs& chosen = theirs[signal];
  const bool by_kernel = called_by_kernel(__builtin_return_address(0));
  if (by_kernel && guarded != nullptr) {
    if (is_fault(signal, *info)) end_crashed(signal);
    pass_on(signal, *info, *static_cast<ucontext_t*>(context));
    return;
  }
  const bool in_place = by_kernel && guards.load(std::memory_order_relaxed) != 0;
  act_as(in_place ? chosen.action : chosen.stands_for, signal, info, context);
}

// As theirs would be called: on the same stack, with the same signals blocked.
KernelAction like(const KernelAction& action) {
  constexpr std::uint64_t kHow = SA_ONSTACK | SA_NODEFER | SA_RESTART;
  const bool handled = !action.is_default() && !action.is_ignored();
  KernelAction ours;
  ours.handler = handle;
  ours.flags = SA_SIGINFO | (handled ? action.flags & kHow : kHow);
  ours.mask = handled ? action.mask : 0;
  return with_own_restorer(ours);
}

void install(int signal) {
  Theirs& chosen = theirs[signal];
  KernelAction present;
  if (!kernel_action(signal, nullptr, &present)) return;
  // The program may have put back what it had found: ours.
  chosen.action = present.handler == handle ? chosen.stands_for : present;
  if (!chosen.replaced) chosen.stands_for = chosen.action;
  const KernelAction ours = like(chosen.action);
  chosen.installed = kernel_action(signal, &ours, nullptr);
}

void take_back(int signal) {
  Theirs& chosen = theirs[signal];
  if (!chosen.installed) return;
  chosen.installed = false;
  KernelAction present;
  if (kernel_action(signal, nullptr, &present) && present.handler == handle) {
    kernel_action(signal, &chosen.action, nullptr);
  } else {
    chosen.replaced = true;
  }
}

void begin_guard() {
  const Changing alone;
  if (guards.load(std::memory_order_relaxed) == 0) {
    for (const int signal : kSignals) install(signal);
  }
  guards.fetch_add(1, std::memory_order_relaxed);
}

void end_guard() {
  const Changing alone;
  if (guards.load(std::memory_order_relaxed) == 1) {
    for (const int signal : kSignals) take_back(signal);
  }
  guards.fetch_sub(1, std::memory_order_relaxed);
}

// For a thread that has used up its own.
class SpareStack {
 public:
  SpareStack() {
    void* const memory =
        mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return;
    stack_.ss_sp = memory;
    stack_.ss_size = kStackBytes;
    sigaltstack(&stack_, &before_);
  }
  ~SpareStack() {
    if (stack_.ss_sp == nullptr) return;
    sigaltstack(&before_, nullptr);
    munmap(stack_.ss_sp, kStackBytes);
  }
  SpareStack(const SpareStack&) = delete;
  SpareStack& operator=(const SpareStack&) = delete;

 private:
  stack_t stack_{};
  stack_t before_{};
};

// Apart from everything with a destructor: a crash comes back here.
__attribute__((noinline)) bool work_or_come_back(Guarded& here, void (*work)(void*),
                                                 void* argument) {
  if (__builtin_setjmp(here.back) != 0) return false;
  work(argument);
  return true;
}

}  // namespace

bool run_guarded(const char* dump_path, void (*work)(void* argument), void* argument) {
  const SpareStack spare;
  Guarded here{dump_path, {}, false};
  begin_guard();
  guarded = &here;
  std::uint64_t mask = 0;
  kernel_mask(SIG_UNBLOCK, kTheirBits, &mask);
  const bool done = work_or_come_back(here, work, argument);
  kernel_mask(SIG_SETMASK, mask, nullptr);
  guarded = nullptr;
  end_guard();
  return done;
}

void forget_guards() {
  changing.store(false, std::memory_order_relaxed);
  guards.store(0, std::memory_order_relaxed);
  for (const int signal : kSignals) take_back(signal);
}

}  // namespace impasse::symbolize
