// A thread that was seen running may sleep when the question comes, and its answer may come late:
// nobody notices.
#include <gtest/gtest.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <ucontext.h>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <functional>
#include <thread>
#include <vector>

#include "asked_worker.h"
#include "witness/answer.h"
#include "witness/running_stack.h"

namespace impasse::witness {
namespace {

using std::chrono::steady_clock;

// The race: seen running, asleep when the signal comes. Nobody may see EINTR.
struct Waits {
  const char* name;
  std::function<long()> wait;
};

void race(const Waits& waits) {
  constexpr long kEnough = 10;
  std::atomic<long> interrupted{0};
  std::atomic<long> rounds{0};
  long given = 0;
  long late = 0;
  {
    const Worker worker([&](const std::atomic<bool>& over) {
      std::uint32_t random = 1;
      while (!over) {
        random = random * 1664525 + 1013904223;
        const unsigned spins = random >> 14;
        work(spins);
        errno = 0;
        if (waits.wait() < 0 && errno == EINTR) ++interrupted;
        ++rounds;
      }
    });
    // On a busy machine the thread is rarely met running: as long as it takes, to some end.
    const auto least = steady_clock::now() + std::chrono::milliseconds(500);
    const auto most = steady_clock::now() + std::chrono::seconds(20);
    RunningStack stack;
    while (steady_clock::now() < (given <= kEnough ? most : least)) {
      if (ask_running_thread(worker.tid(), stack, 20'000'000) != Asked::kGiven) continue;
      ++given;
      // In a call, behind a system call instruction: it fell asleep before the signal came.
      late += stack.registers[REG_RAX] == -EINTR;
    }
  }
  EXPECT_EQ(interrupted, 0) << waits.name;
  EXPECT_GT(given, kEnough) << waits.name;
  std::printf("%-14s %6ld rounds, %5ld answers, %4ld of them out of a call\n", waits.name,
              rounds.load(), given, late);
}

TEST(Race, NobodySeesAnInterruption) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const timeval soon{0, 300};
  setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
  const int epoll = epoll_create1(0);
  const std::vector<Waits> all = {
      {"epoll_wait",
       [epoll] {
         epoll_event event{};
         return epoll_wait(epoll, &event, 1, 1);
       }},
      {"poll", [] { return poll(nullptr, 0, 1); }},
      {"nanosleep",
       [] {
         const timespec time{0, 100'000};
         return nanosleep(&time, nullptr);
       }},
      {"select",
       [] {
         timeval time{0, 100};
         return select(0, nullptr, nullptr, nullptr, &time);
       }},
      {"recv",
       [&pair] {
         char c = 0;
         return recv(pair[0], &c, 1, 0);
       }},
  };
  for (const Waits& waits : all) race(waits);
}

// The signal meets the sleep for certain: as if the look had been wrong every time.
TEST(Race, ASignalThatMeetsASleep) {
  RunningStack stack;
  {
    const Worker worker(spin);
    ASSERT_EQ(ask(worker.tid(), stack), Asked::kGiven);  // the handler is there
  }
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  const timeval soon{0, 300'000};
  setsockopt(pair[0], SOL_SOCKET, SO_RCVTIMEO, &soon, sizeof soon);
  const int epoll = epoll_create1(0);
  sem_t semaphore;
  sem_init(&semaphore, 0, 0);
  sigset_t user;
  sigemptyset(&user);
  sigaddset(&user, SIGUSR1);
  const timespec time{0, 300'000'000};
  const std::vector<Waits> all = {
      {"epoll_wait",
       [&] {
         epoll_event event{};
         return epoll_wait(epoll, &event, 1, 300);
       }},
      {"poll", [] { return poll(nullptr, 0, 300); }},
      {"nanosleep", [&] { return nanosleep(&time, nullptr); }},
      {"usleep", [] { return usleep(300'000); }},
      {"select",
       [] {
         timeval span{0, 300'000};
         return select(0, nullptr, nullptr, nullptr, &span);
       }},
      {"recv",
       [&] {
         char c = 0;
         return recv(pair[0], &c, 1, 0);
       }},
      {"sem_timedwait",
       [&] {
         timespec end{};
         clock_gettime(CLOCK_REALTIME, &end);
         ++end.tv_sec;
         return sem_timedwait(&semaphore, &end);
       }},
      {"sigtimedwait", [&] { return sigtimedwait(&user, nullptr, &time); }},
  };
  for (const Waits& waits : all) {
    int error = 0;
    std::uint64_t answered = mailbox.answered;
    {
      const Worker worker([&](const std::atomic<bool>&) {
        errno = 0;
        waits.wait();
        error = errno;
      });
      for (int i = 0; i < 10; ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
        syscall(SYS_tgkill, getpid(), worker.tid(), running_stack_signal());
      }
    }
    EXPECT_NE(error, EINTR) << waits.name;
    EXPECT_EQ(mailbox.answered, answered + 10) << waits.name;
  }
}

// A handler that comes after its question was given up writes nothing.
TEST(Mailbox, LateAnswers) {
  RunningStack stack;
  std::atomic<bool> block{true};
  std::atomic<bool> blocked{false};
  const Worker slow([&](const std::atomic<bool>& over) {
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &before);
    blocked = true;
    while (block) continue;
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    spin(over);
  });
  const Worker quick(spin);
  ASSERT_EQ(ask(quick.tid(), stack), Asked::kGiven);
  while (!blocked) continue;
  // Behind the asker's back: as if the thread had blocked signals right after it was looked at.
  const std::uint64_t answered = mailbox.answered;
  syscall(SYS_tgkill, getpid(), slow.tid(), running_stack_signal());
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(ask(quick.tid(), stack), Asked::kGiven);
    if (i == 50) block = false;  // from now on it comes at any time
    EXPECT_TRUE(has_marks(stack));
  }
  while (mailbox.answered < answered + 101) std::this_thread::yield();
  EXPECT_EQ(ask(slow.tid(), stack), Asked::kGiven);
}

}  // namespace
}  // namespace impasse::witness
