// Crashes of our own work, and everything else that arrives meanwhile. Each case is a process of
// its own: how it ends is the answer.
#include "symbolize/crash_guard.h"

#include <gtest/gtest.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

#include "symbolize/arena.h"

namespace {

using impasse::symbolize::OwnArena;
using impasse::symbolize::run_guarded;

constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

// What a child ended with: its exit status, or minus the signal.
template <typename Case>
int outcome(Case child_case) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(10);
    _exit(child_case());
  }
  int status = 0;
  waitpid(child, &status, 0);
  return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

std::string dump_path() {
  return testing::TempDir() + "impasse_crash." + std::to_string(getpid());
}

// A thread like ours: all signals blocked, memory of its own.
class OurThread {
 public:
  explicit OurThread(void (*work)(), const char* path = nullptr) : work_(work), path_(path) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pthread_create(&thread_, nullptr, run, this);
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  bool join() {
    pthread_join(thread_, nullptr);
    return finished_;
  }

 private:
  static void* run(void* self) {
    auto& thread = *static_cast<OurThread*>(self);
    const OwnArena arena;
    thread.finished_ = run_guarded(thread.path_, thread.work_);
    return nullptr;
  }

  void (*work_)();
  const char* path_;
  pthread_t thread_{};
  bool finished_ = false;
};

std::atomic<bool> working{false};
std::atomic<bool> leave{false};
void work_until_told() {
  working.store(true);
  while (!leave.load()) usleep(1'000);
}

// While our thread works under guard.
template <typename Case>
int meanwhile(Case child_case) {
  OurThread thread(work_until_told);
  while (!working.load()) usleep(1'000);
  const int result = child_case();
  leave.store(true);
  return thread.join() ? result : 100;
}

bool nothing_installed() {
  for (const int signal : kSignals) {
    struct sigaction now {};
    sigaction(signal, nullptr, &now);
    if (now.sa_handler != SIG_DFL) return false;
  }
  return true;
}

volatile int* volatile nowhere = nullptr;
void write_nowhere() {
  *nowhere = 1;
}
volatile int zero = 0;
void divide() {
  zero = 7 / zero;
}
void give_up() {
  abort();
}
void trap() {
  __builtin_trap();
}
void crash_with_memory() {
  const std::string text(10'000, 'x');
  *nowhere = static_cast<int>(text.size());
}
void throw_out() {
  throw 1;
}  // std::terminate: a thread's function must not throw
void end_by_exception() {
  []() noexcept { throw_out(); }();
}
__attribute__((noinline)) int descend(int depth) {
  volatile char room[4096];
  room[0] = static_cast<char>(depth);
  return depth < 0 ? 0 : descend(depth + 1) + room[0];
}
void overflow() {
  zero = descend(1);
}
void truncated_file() {
  char path[] = "/tmp/impasse_truncated.XXXXXX";
  const int fd = mkstemp(path);
  unlink(path);
  if (ftruncate(fd, 8192) != 0) return;
  const auto* const mapped =
      static_cast<volatile char*>(mmap(nullptr, 8192, PROT_READ, MAP_PRIVATE, fd, 0));
  if (ftruncate(fd, 0) != 0) return;
  zero = mapped[4096];
}

TEST(CrashGuard, OurCrashesEndTheThreadAndNothingElse) {
  for (void (*work)() : {write_nowhere, divide, give_up, trap, crash_with_memory, end_by_exception,
                         overflow, truncated_file}) {
    const std::string path = dump_path();
    EXPECT_EQ(outcome([&] {
                if (OurThread(work, path.c_str()).join()) return 1;
                if (!nothing_installed()) return 2;
                // A second one, after the first.
                if (OurThread(work, path.c_str()).join()) return 3;
                return nothing_installed() ? 0 : 4;
              }),
              0);
    std::ifstream dump(path, std::ios::binary | std::ios::ate);
    ASSERT_TRUE(dump.is_open());
    EXPECT_GE(dump.tellg(), 3 * 8);
    unlink(path.c_str());
  }
}

TEST(CrashGuard, WorkThatEndsLeavesNoTrace) {
  EXPECT_EQ(outcome([] {
              if (!OurThread([] {}).join()) return 1;
              return nothing_installed() ? 0 : 2;
            }),
            0);
}

TEST(CrashGuard, ADefaultActionHappens) {
  EXPECT_EQ(outcome([] {
              return meanwhile([] {
                write_nowhere();
                return 0;
              });
            }),
            -SIGSEGV);
  EXPECT_EQ(outcome([] {
              return meanwhile([] {
                abort();
                return 0;
              });
            }),
            -SIGABRT);
  for (const int signal : kSignals) {
    EXPECT_EQ(outcome([signal] {
                return meanwhile([signal] {
                  kill(getpid(), signal);
                  usleep(500'000);
                  return 0;
                });
              }),
              -signal);
    EXPECT_EQ(outcome([signal] {
                return meanwhile([signal] {
                  raise(signal);
                  return 0;
                });
              }),
              -signal);
  }
}

sigjmp_buf back;
volatile int handled = 0;
volatile pid_t handled_by = 0;
void* volatile handled_address = nullptr;
char alternate[65536];
volatile bool on_alternate = false;
volatile bool user_signal_blocked = false;

void full_handler(int, siginfo_t* info, void* context) {
  const char here = 0;
  handled = handled + 1;
  handled_by = static_cast<pid_t>(syscall(SYS_gettid));
  handled_address = info->si_addr;
  on_alternate = &here >= alternate && &here < alternate + sizeof alternate;
  sigset_t mask;
  pthread_sigmask(SIG_BLOCK, nullptr, &mask);
  user_signal_blocked = sigismember(&mask, SIGUSR1) == 1;
  if (context == nullptr) _exit(50);
  if (info->si_code > 0) siglongjmp(back, 1);
}

__attribute__((noinline)) bool fault_is_handled(int times) {
  int* const address = reinterpret_cast<int*>(0x1230);
  if (sigsetjmp(back, 1) == 0) *static_cast<volatile int*>(address) = 1;
  return handled == times && handled_address == address && on_alternate && user_signal_blocked &&
         handled_by == syscall(SYS_gettid);
}

TEST(CrashGuard, TheProgramsHandlerGetsItsFaultsAsEver) {
  EXPECT_EQ(outcome([] {
              stack_t stack{};
              stack.ss_sp = alternate;
              stack.ss_size = sizeof alternate;
              sigaltstack(&stack, nullptr);
              struct sigaction action {};
              action.sa_sigaction = full_handler;
              action.sa_flags = SA_SIGINFO | SA_ONSTACK;
              sigaddset(&action.sa_mask, SIGUSR1);
              sigaction(SIGSEGV, &action, nullptr);
              struct sigaction before {};
              sigaction(SIGSEGV, nullptr, &before);
              const int failed = meanwhile([] {
                for (int i = 1; i <= 100; ++i) {
                  if (!fault_is_handled(i)) return 1;
                }
                return 0;
              });
              struct sigaction now {};
              sigaction(SIGSEGV, nullptr, &now);
              if (now.sa_sigaction != full_handler || now.sa_flags != before.sa_flags) return 3;
              return failed;
            }),
            0);
}

TEST(CrashGuard, ASignalThatIsSentReachesAThreadOfTheProgram) {
  EXPECT_EQ(outcome([] {
              struct sigaction action {};
              action.sa_sigaction = full_handler;
              action.sa_flags = SA_SIGINFO;
              sigaction(SIGABRT, &action, nullptr);
              return meanwhile([] {
                // The program's only thread does not take it for a while.
                sigset_t abort_only;
                sigemptyset(&abort_only);
                sigaddset(&abort_only, SIGABRT);
                pthread_sigmask(SIG_BLOCK, &abort_only, nullptr);
                kill(getpid(), SIGABRT);
                usleep(100'000);
                if (handled != 0) return 1;
                pthread_sigmask(SIG_UNBLOCK, &abort_only, nullptr);
                usleep(10'000);
                return handled != 1 ? 2 + handled : handled_by != syscall(SYS_gettid) ? 50 : 0;
              });
            }),
            0);
}

TEST(CrashGuard, AnIgnoredSignalStaysIgnored) {
  EXPECT_EQ(outcome([] {
              signal(SIGFPE, SIG_IGN);
              return meanwhile([] {
                kill(getpid(), SIGFPE);
                raise(SIGFPE);
                return 0;
              });
            }),
            0);
}

void once_handler(int) {
  handled = handled + 1;
}

TEST(CrashGuard, AHandlerForOneTimeIsOneForOneTime) {
  EXPECT_EQ(outcome([] {
              struct sigaction action {};
              action.sa_handler = once_handler;
              action.sa_flags = static_cast<int>(SA_RESETHAND);
              sigaction(SIGFPE, &action, nullptr);
              return meanwhile([] {
                raise(SIGFPE);
                if (handled != 1) return 1;
                raise(SIGFPE);
                return 2;
              });
            }),
            -SIGFPE);
}

struct sigaction found {};
void chaining_handler(int signal, siginfo_t* info, void* context) {
  handled = handled + 1;
  if (handled > 3) _exit(60);
  if ((found.sa_flags & SA_SIGINFO) != 0) found.sa_sigaction(signal, info, context);
}
void install_chaining() {
  struct sigaction action {};
  action.sa_sigaction = chaining_handler;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, &found);
}

TEST(CrashGuard, WhatTheProgramChangesMeanwhileStays) {
  EXPECT_EQ(outcome([] {
              meanwhile([] {
                signal(SIGILL, once_handler);
                signal(SIGFPE, SIG_IGN);
                return 0;
              });
              struct sigaction illegal {};
              struct sigaction arithmetic {};
              sigaction(SIGILL, nullptr, &illegal);
              sigaction(SIGFPE, nullptr, &arithmetic);
              return illegal.sa_handler == once_handler && arithmetic.sa_handler == SIG_IGN ? 0 : 1;
            }),
            0);
}

// A library that chains to what it found while our handler was there calls ours.
TEST(CrashGuard, BeingChainedToIsNoLoop) {
  EXPECT_EQ(outcome([] {
              meanwhile([] {
                install_chaining();
                return 0;
              });
              write_nowhere();
              return 1;
            }),
            -SIGSEGV);
  EXPECT_EQ(outcome([] {
              meanwhile([] {
                install_chaining();
                write_nowhere();
                return 0;
              });
              return 1;
            }),
            -SIGSEGV);
  EXPECT_EQ(outcome([] {
              meanwhile([] {
                install_chaining();
                return 0;
              });
              leave.store(false);
              working.store(false);
              return meanwhile([] {
                write_nowhere();
                return 1;
              });
            }),
            -SIGSEGV);
}

TEST(CrashGuard, SeveralThreadsOfOursShareIt) {
  EXPECT_EQ(outcome([] {
              return meanwhile([] {
                       if (OurThread(write_nowhere).join()) return 1;
                       if (nothing_installed()) return 2;  // the other one still works
                       return OurThread([] {}).join() ? 0 : 3;
                     }) == 0 &&
                             nothing_installed()
                         ? 0
                         : 4;
            }),
            0);
}

TEST(CrashGuard, AForkedChildTakesItBack) {
  EXPECT_EQ(outcome([] {
              return meanwhile([] {
                return outcome([] {
                  impasse::symbolize::forget_guards();
                  return nothing_installed() ? 0 : 1;
                });
              });
            }),
            0);
}

}  // namespace
