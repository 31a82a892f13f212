// Threads that run are asked for their stacks: are the answers right, and does nobody notice?
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <vector>

#include "asked_worker.h"
#include "witness/answer.h"
#include "witness/running_stack.h"

namespace impasse::witness {
namespace {

using std::chrono::steady_clock;

bool within_spin(std::uint64_t pc) {
  const auto start = reinterpret_cast<std::uint64_t>(&spin);
  return pc >= start && pc < start + 256;
}

TEST(RunningStack, OfASpinningThread) {
  const Worker worker(spin);
  RunningStack stack;
  ASSERT_EQ(ask(worker.tid(), stack), Asked::kGiven);
  EXPECT_TRUE(within_spin(static_cast<std::uint64_t>(stack.registers[REG_RIP])));
  EXPECT_EQ(stack.address, static_cast<std::uint64_t>(stack.registers[REG_RSP]));
  EXPECT_TRUE(has_marks(stack));
  EXPECT_LE(stack.size, kRunningStackBytes);
  EXPECT_GT(running_stack_signal(), SIGRTMIN);
  EXPECT_LE(running_stack_signal(), SIGRTMAX - 3);
  EXPECT_STREQ(trouble_words(Asked::kGiven), "");
}

TEST(RunningStack, OfTheMainThread) {
  static std::atomic<bool> over{false};
  const auto main_tid = own_tid();
  Asked asked = Asked::kNoAnswer;
  bool marks = false;
  std::thread asker([&] {
    RunningStack stack;
    asked = ask(main_tid, stack);
    marks = has_marks(stack);
    over = true;
  });
  spin(over);
  asker.join();
  EXPECT_EQ(asked, Asked::kGiven);
  EXPECT_TRUE(marks);
}

TEST(RunningStack, OnASecondStack) {
  const Worker worker([](const std::atomic<bool>& over) {
    std::vector<char> room(SIGSTKSZ);
    stack_t second{};
    second.ss_sp = room.data();
    second.ss_size = room.size();
    sigaltstack(&second, nullptr);
    spin(over);
    second.ss_flags = SS_DISABLE;
    sigaltstack(&second, nullptr);
  });
  RunningStack stack;
  ASSERT_EQ(ask(worker.tid(), stack), Asked::kGiven);
  EXPECT_TRUE(has_marks(stack));
}

TEST(RunningStack, ErrnoStays) {
  std::atomic<bool> changed{false};
  {
    const Worker worker([&changed](const std::atomic<bool>& over) {
      errno = 4711;
      while (!over) {
        if (errno != 4711) changed = true;
      }
    });
    RunningStack stack;
    for (int i = 0; i < 500; ++i) ask(worker.tid(), stack);
  }
  EXPECT_FALSE(changed);
}

TEST(RunningStack, SleepersAreNotAsked) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  std::atomic<long> result{0};
  {
    const Worker worker([&](const std::atomic<bool>&) {
      char c = 0;
      result = read(ends[0], &c, 1);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    const std::uint64_t answered = mailbox.answered;
    RunningStack stack;
    for (int i = 0; i < 100; ++i) {
      EXPECT_EQ(ask_running_thread(worker.tid(), stack), Asked::kNotRunning);
    }
    EXPECT_EQ(mailbox.answered, answered);
    EXPECT_EQ(write(ends[1], "x", 1), 1);
  }
  EXPECT_EQ(result, 1);
}

TEST(RunningStack, DeadThreadsAreHarmless) {
  std::uint32_t tid = 0;
  {
    tid = Worker([](const std::atomic<bool>&) {}).tid();
  }
  RunningStack stack;
  EXPECT_EQ(ask_running_thread(tid, stack), Asked::kGone);
  EXPECT_EQ(ask_running_thread(0x3fff'ffff, stack), Asked::kGone);
  EXPECT_EQ(stack.size, 0U);
}

TEST(RunningStack, ThreadsThatEndMeanwhile) {
  const auto end = steady_clock::now() + std::chrono::seconds(1);
  RunningStack stack;
  while (steady_clock::now() < end) {
    std::atomic<std::uint32_t> tid{0};
    std::thread thread([&tid] {
      tid = own_tid();
      const auto until = steady_clock::now() + std::chrono::microseconds(150);
      while (steady_clock::now() < until) continue;
    });
    while (tid == 0) std::this_thread::yield();
    const Asked asked = ask_running_thread(tid, stack);
    EXPECT_NE(asked, Asked::kStillAnswering);
    thread.join();
  }
}

// All signals blocked, read with signalfd: ours must not turn up there.
TEST(RunningStack, WhoBlocksSignalsIsNotAsked) {
  std::atomic<bool> turned_up{false};
  {
    const Worker worker([&turned_up](const std::atomic<bool>& over) {
      sigset_t all;
      sigfillset(&all);
      pthread_sigmask(SIG_BLOCK, &all, nullptr);
      const int fd = signalfd(-1, &all, SFD_NONBLOCK);
      signalfd_siginfo info{};
      while (!over) {
        if (read(fd, &info, sizeof info) == sizeof info) turned_up = true;
        work(1000);
      }
      close(fd);
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    RunningStack stack;
    int blocked = 0;
    for (int i = 0; i < 200; ++i) {
      const Asked asked = ask_running_thread(worker.tid(), stack);
      EXPECT_TRUE(asked == Asked::kBlocked || asked == Asked::kNotRunning);
      blocked += asked == Asked::kBlocked;
    }
    EXPECT_GT(blocked, 0);
  }
  EXPECT_FALSE(turned_up);
}

// In a child, because signals are the process's: 0 when all is well.
int in_child(const std::function<int()>& what) {
  const pid_t child = fork();
  if (child == 0) _exit(what());
  int status = 0;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// Also: after fork() everything works as before.
TEST(RunningStack, AfterFork) {
  EXPECT_EQ(in_child([] {
              const Worker worker(spin);
              RunningStack stack;
              return ask(worker.tid(), stack) == Asked::kGiven && has_marks(stack) ? 0 : 1;
            }),
            0);
}

TEST(RunningStack, SignalsOfTheProgramAreLeftAlone) {
  EXPECT_EQ(in_child([] {
              // It takes the one that we have, catches the next and ignores the one after that.
              const int first = SIGRTMAX - 3;
              signal(first, [](int) {});
              signal(first - 1, [](int) {});
              signal(first - 2, SIG_IGN);
              const Worker worker(spin);
              RunningStack stack;
              if (ask(worker.tid(), stack) != Asked::kGiven) return 1;
              return running_stack_signal() == first - 3 ? 0 : 2;
            }),
            0);
}

TEST(RunningStack, NoSignalLeft) {
  EXPECT_EQ(in_child([] {
              for (int number = SIGRTMIN; number <= SIGRTMAX; ++number) signal(number, SIG_IGN);
              const Worker worker(spin);
              RunningStack stack;
              return ask(worker.tid(), stack) == Asked::kNoSignal ? 0 : 1;
            }),
            0);
}

// A filter that kills for what the handler must not do.
void install_filter() {
  const auto refuse = [](unsigned number) {
    return std::vector<sock_filter>{BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
                                    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS)};
  };
  std::vector<sock_filter> code{BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const unsigned number : {SYS_process_vm_readv, SYS_gettid, SYS_getpid, SYS_tgkill}) {
    const auto part = refuse(number);
    code.insert(code.end(), part.begin(), part.end());
  }
  code.push_back(BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
  const sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

TEST(RunningStack, FilteredThreads) {
  EXPECT_EQ(in_child([] {
              const Worker worker([](const std::atomic<bool>& over) {
                install_filter();
                spin(over);
              });
              const Worker other(spin);
              std::this_thread::sleep_for(std::chrono::milliseconds(20));
              RunningStack stack;
              for (int i = 0; i < 200; ++i) {
                if (ask(worker.tid(), stack) != Asked::kGiven) return 1;
                if (!has_marks(stack)) return 2;
                if (ask(other.tid(), stack) != Asked::kGiven) return 3;
                if (!has_marks(stack)) return 4;
              }
              return 0;
            }),
            0);
}

}  // namespace
}  // namespace impasse::witness
