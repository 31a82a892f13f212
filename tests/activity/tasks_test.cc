// Threads that are in no call, that are gone, or another process's: what is said of them, and which
// there are.
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <thread>
#include <vector>

#include "sleeper.h"
#include "test_pipe.h"

namespace impasse::system {
namespace {

TEST(Tasks, Running) {
  static std::atomic<bool> over{false};
  const Sleeper sleeper([] {
    while (!over) continue;
  });
  const ProcFiles process;
  const Memory memory;
  Descriptors descriptors(process);
  const TaskLook look = look_at_task(process, sleeper.tid());
  const Activity seen = describe(process, sleeper.tid(), look, memory, descriptors);
  over = true;
  EXPECT_EQ(seen.kind, ActivityKind::kRunning);
  EXPECT_EQ(seen.state, 'R');
  EXPECT_EQ(seen.call, "");
}

TEST(Tasks, Gone) {
  const Sleeper sleeper([] {});
  const Activity seen = sleeper.activity("never");
  EXPECT_EQ(seen.kind, ActivityKind::kGone);
}

TEST(Tasks, StoppedInAnotherProcess) {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  const auto pid = static_cast<std::uint32_t>(child);
  kill(child, SIGSTOP);
  waitpid(child, nullptr, WUNTRACED);
  const ProcFiles process(pid);
  const Memory memory(pid);
  Descriptors descriptors(process);
  const Activity seen = describe(process, pid, look_at_task(process, pid), memory, descriptors);
  EXPECT_EQ(seen.kind, ActivityKind::kStopped);
  EXPECT_EQ(seen.state, 'T');
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

TEST(Tasks, MemoryOfAnotherProcess) {
  const Pipe pipe;
  const pid_t child = fork();
  if (child == 0) {
    pollfd entry{pipe.ends[0], POLLIN, 0};
    poll(&entry, 1, 60'000);
    _exit(0);
  }
  pause_ms(50);
  const auto pid = static_cast<std::uint32_t>(child);
  const ProcFiles process(pid);
  const Memory memory(pid);
  Descriptors descriptors(process);
  const Activity seen = describe(process, pid, look_at_task(process, pid), memory, descriptors);
  EXPECT_EQ(seen.call + ": " + seen.detail, "poll: " + pipe.words(0) + ", time limit 1m");
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
}

// /proc/self is the first thread; when that one has ended, the others must be seen all the same.
TEST(Tasks, FirstThreadEnded) {
  const Pipe pipe;
  const pid_t child = fork();
  if (child == 0) {
    std::thread([&pipe] {
      pause_ms(50);
      const Sleeper sleeper([&pipe] {
        char c = 0;
        read(pipe.ends[0], &c, 1);
      });
      const bool right = sleeper.words("read") == "read: " + pipe.words_for(sleeper.tid(), 0);
      const ProcFiles process;
      std::vector<std::uint32_t> tids;
      bool more = false;
      process.tasks(tids, 10, more);
      _exit(right && tids.size() == 3 ? 0 : 1);
    }).detach();
    syscall(SYS_exit, 0);  // pthread_exit() would run through the test framework
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(Tasks, AreListed) {
  const ProcFiles process;
  const Sleeper one([] { pause(); });
  std::vector<std::uint32_t> tids;
  bool more = false;
  ASSERT_EQ(process.tasks(tids, 1000, more), 0);
  EXPECT_FALSE(more);
  EXPECT_EQ(std::count(tids.begin(), tids.end(), one.tid()), 1);
  EXPECT_EQ(std::count(tids.begin(), tids.end(), static_cast<std::uint32_t>(getpid())), 1);
  ASSERT_EQ(process.tasks(tids, 1, more), 0);
  EXPECT_EQ(tids.size(), 1U);
  EXPECT_TRUE(more);
}

TEST(Tasks, NothingThere) {
  const ProcFiles nobody(0x3fff'ffff);
  std::vector<std::uint32_t> tids;
  bool more = false;
  EXPECT_EQ(nobody.tasks(tids, 10, more), ENOENT);
  EXPECT_EQ(look_at_task(nobody, 1).call.form, CallForm::kGone);
}

}  // namespace
}  // namespace impasse::system
