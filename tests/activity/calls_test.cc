// Threads go into calls and stay there: is what they do put into the right words?
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/msg.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include <cstdlib>
#include <cstring>
#include <mutex>

#include "sleeper.h"
#include "test_pipe.h"

namespace impasse::system {
namespace {

class Directory {
 public:
  Directory() { EXPECT_NE(mkdtemp(path_), nullptr); }
  ~Directory() {
    for (const std::string& file : files_) unlink(file.c_str());
    rmdir(path_);
  }
  std::string file(const std::string& name) {
    files_.push_back(std::string(path_) + "/" + name);
    return files_.back();
  }

 private:
  char path_[32] = "/tmp/impasse_activity_XXXXXX";
  std::vector<std::string> files_;
};

std::string fd_words(int fd, const std::string& what) {
  return "fd " + std::to_string(fd) + ", " + what;
}

TEST(Calls, Read) {
  const Pipe pipe;
  const Sleeper sleeper([&] {
    char c = 0;
    EXPECT_EQ(read(pipe.ends[0], &c, 1), 1);
  });
  const Activity seen = sleeper.activity("read");
  EXPECT_EQ(seen.kind, ActivityKind::kInSystemCall);
  EXPECT_EQ(seen.state, 'S');
  EXPECT_EQ(seen.number, 0);
  EXPECT_EQ(seen.detail, pipe.words(0));
  EXPECT_FALSE(seen.uninterruptible);
  EXPECT_EQ(seen.trouble, "");
  EXPECT_NE(seen.kernel_function.find("pipe_read"), std::string::npos) << seen.kernel_function;
  EXPECT_EQ(write(pipe.ends[1], "x", 1), 1);
}

TEST(Calls, ReadVector) {
  const Pipe pipe;
  const Sleeper sleeper([fd = pipe.ends[0]] {
    char c = 0;
    iovec part{&c, 1};
    readv(fd, &part, 1);
  });
  EXPECT_EQ(sleeper.words("readv"), "readv: " + pipe.words(0));
}

TEST(Calls, Write) {
  const Pipe pipe;
  pipe.fill();
  const Sleeper sleeper([fd = pipe.ends[1]] {
    const char block[4096] = {};
    EXPECT_EQ(write(fd, block, sizeof block), 0);
  });
  EXPECT_EQ(sleeper.words("write"), "write: " + pipe.words(1));
}

TEST(Calls, OpenAFifo) {
  Directory directory;
  const std::string path = directory.file("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const Sleeper sleeper([path] { close(open(path.c_str(), O_RDONLY)); });
  EXPECT_EQ(sleeper.words("openat"), "openat: " + path);
  close(open(path.c_str(), O_WRONLY));
}

TEST(Calls, ReadAFifo) {
  Directory directory;
  const std::string path = directory.file("fifo");
  ASSERT_EQ(mkfifo(path.c_str(), 0600), 0);
  const int fd = open(path.c_str(), O_RDWR);
  const Sleeper sleeper([fd] {
    char c = 0;
    EXPECT_EQ(read(fd, &c, 1), 1);
  });
  EXPECT_EQ(sleeper.words("read"), "read: " + fd_words(fd, path));
}

TEST(Calls, Poll) {
  const Pipe pipe;
  const Sleeper sleeper([fd = pipe.ends[0]] {
    pollfd entries[2] = {{fd, POLLIN, 0}, {-1, POLLIN, 0}};
    poll(entries, 2, -1);
  });
  EXPECT_EQ(sleeper.words("poll"), "poll: " + pipe.words(0) + ", no time limit");
}

TEST(Calls, PollThree) {
  const Pipe one;
  const Pipe two;
  const Sleeper sleeper([&] {
    pollfd entries[3] = {
        {one.ends[0], POLLIN, 0}, {two.ends[0], POLLIN, 0}, {one.ends[0], POLLIN, 0}};
    poll(entries, 3, 20'500);
  });
  EXPECT_EQ(sleeper.words("poll"), "poll: 3 descriptors: " + one.words(0) + "; " + two.words(0) +
                                       "; " + one.words(0) + ", time limit 20.5s");
}

TEST(Calls, PollMany) {
  const Pipe pipe;
  const Sleeper sleeper([fd = pipe.ends[0]] {
    std::vector<pollfd> entries(40, {fd, POLLIN, 0});
    timespec time{100, 0};
    ppoll(entries.data(), entries.size(), &time, nullptr);
  });
  EXPECT_EQ(sleeper.words("ppoll"), "ppoll: 40 descriptors, time limit 1m 40s");
}

TEST(Calls, PollNothing) {
  const Sleeper sleeper([] { poll(nullptr, 0, 30'000); });
  EXPECT_EQ(sleeper.words("poll"), "poll: no descriptors, time limit 30s");
}

TEST(Calls, Select) {
  const Pipe one;
  const Pipe two;
  const Sleeper sleeper([&] {
    fd_set in;
    fd_set except;
    FD_ZERO(&in);
    FD_ZERO(&except);
    FD_SET(one.ends[0], &in);
    FD_SET(two.ends[0], &except);
    timeval time{30, 500'000};
    select(two.ends[0] + 1, &in, nullptr, &except, &time);
  });
  const std::string words = sleeper.words();  // libc makes it one or the other
  EXPECT_TRUE(words.starts_with("select: ") || words.starts_with("pselect6: ")) << words;
  EXPECT_NE(
      words.find(": 2 descriptors: " + one.words(0) + "; " + two.words(0) + ", time limit 30.5s"),
      std::string::npos)
      << words;
}

TEST(Calls, Epoll) {
  const Pipe pipe;
  const int epoll = epoll_create1(0);
  epoll_event event{};
  ASSERT_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, pipe.ends[0], &event), 0);
  const Sleeper sleeper([epoll] {
    epoll_event events[4];
    epoll_wait(epoll, events, 4, -1);
  });
  EXPECT_EQ(sleeper.words("epoll_wait"), "epoll_wait: " + fd_words(epoll, "epoll") +
                                             " of 1 descriptor: " + pipe.words(0) +
                                             ", no time limit");
}

TEST(Calls, EpollMany) {
  const int epoll = epoll_create1(0);
  Pipe pipes[5];
  for (const Pipe& pipe : pipes) {
    epoll_event event{};
    ASSERT_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, pipe.ends[0], &event), 0);
  }
  const Sleeper sleeper([epoll] {
    epoll_event events[4];
    sigset_t none;
    sigemptyset(&none);
    epoll_pwait(epoll, events, 4, 40'000, &none);
  });
  EXPECT_EQ(sleeper.words("epoll_pwait"),
            "epoll_pwait: " + fd_words(epoll, "epoll") + " of 5 descriptors, time limit 40s");
}

TEST(Calls, Sleep) {
  const Sleeper sleeper([] {
    const timespec time{72, 0};
    nanosleep(&time, nullptr);
  });
  EXPECT_EQ(sleeper.words("clock_nanosleep"), "clock_nanosleep: 1m 12s asked for");
  const Sleeper old([] {
    const timespec time{2, 500'000'000};
    syscall(SYS_nanosleep, &time, nullptr);
  });
  EXPECT_EQ(old.words("nanosleep"), "nanosleep: 2.5s asked for");
}

TEST(Calls, SleepUntil) {
  const Sleeper sleeper([] {
    timespec time{};
    clock_gettime(CLOCK_MONOTONIC, &time);
    time.tv_sec += 3600;
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &time, nullptr);
  });
  const std::string words = sleeper.words("clock_nanosleep");
  EXPECT_TRUE(words.starts_with("clock_nanosleep: 59m 5") && words.ends_with("s left")) << words;
}

TEST(Calls, Futex) {
  static std::uint32_t word = 0;
  char where[32];
  std::snprintf(where, sizeof where, "address %p", static_cast<void*>(&word));
  const Sleeper plain([] { syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, nullptr, 0, 0); });
  EXPECT_EQ(plain.words("futex"), std::string("futex: ") + where + ", no time limit");
  const Sleeper timed([] {
    const timespec time{50, 0};
    syscall(SYS_futex, &word, FUTEX_WAIT_PRIVATE, 0, &time, 0, 0);
  });
  EXPECT_EQ(timed.words("futex"), std::string("futex: ") + where + ", time limit 50s");
  const Sleeper until([] {
    timespec time{};
    clock_gettime(CLOCK_REALTIME, &time);
    time.tv_sec += 7200;
    syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE | FUTEX_CLOCK_REALTIME, 0, &time, nullptr,
            ~0U);
  });
  EXPECT_EQ(until.words("futex"), std::string("futex: ") + where + ", 1h 59m left");
}

TEST(Calls, Mutex) {
  auto* const mutex = new std::mutex;
  mutex->lock();
  const Sleeper sleeper([mutex] { mutex->lock(); });
  char where[32];
  std::snprintf(where, sizeof where, "futex: address %p", static_cast<void*>(mutex));
  EXPECT_EQ(sleeper.words("futex"), std::string(where) + ", no time limit");
}

TEST(Calls, WaitForAChild) {
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  const Sleeper sleeper([child] { waitpid(child, nullptr, 0); });
  const std::string words = sleeper.words("wait4");
  EXPECT_EQ(words, "wait4: child " + std::to_string(child) + " \"" +
                       std::string(program_invocation_short_name).substr(0, 15) + "\"");
  const Sleeper any([] {
    siginfo_t info;
    waitid(P_ALL, 0, &info, WSTOPPED);
  });
  EXPECT_EQ(any.words("waitid"), "waitid: any child");
  kill(child, SIGKILL);
}

// A thread in vfork() sleeps so that no signal reaches it.
TEST(Calls, UninterruptibleSleep) {
  const Pipe pipe;
  const Sleeper sleeper([&pipe] {
    const pid_t child = vfork();
    if (child == 0) {
      char c = 0;
      close(pipe.ends[1]);
      syscall(SYS_read, pipe.ends[0], &c, 1);
      _exit(0);
    }
    waitpid(child, nullptr, 0);
  });
  const Activity seen = sleeper.activity("vfork");
  EXPECT_EQ(seen.state, 'D');
  EXPECT_TRUE(seen.uninterruptible);
  EXPECT_EQ(seen.detail, "until its child execs or ends");
  EXPECT_EQ(write(pipe.ends[1], "x", 1), 1);
  sleeper.activity("exit");  // until the child and the thread are gone
}

TEST(Calls, FileLocks) {
  Directory directory;
  const std::string path = directory.file("locked");
  const int one = open(path.c_str(), O_RDWR | O_CREAT, 0600);
  const int two = open(path.c_str(), O_RDWR);
  ASSERT_EQ(flock(one, LOCK_EX), 0);
  const Sleeper sleeper([two] { flock(two, LOCK_SH); });
  EXPECT_EQ(sleeper.words("flock"), "flock: " + fd_words(two, path) + ", a shared lock");
  struct flock range {};
  range.l_type = F_WRLCK;
  range.l_len = 10;
  ASSERT_EQ(fcntl(one, F_OFD_SETLK, &range), 0);
  const Sleeper control([two] {
    struct flock wanted {};
    wanted.l_type = F_WRLCK;
    wanted.l_start = 4;
    wanted.l_len = 1;
    fcntl(two, F_OFD_SETLKW, &wanted);
  });
  EXPECT_EQ(control.words("fcntl"),
            "fcntl: " + fd_words(two, path) + ", an exclusive lock on bytes from 4, 1 of them");
}

TEST(Calls, Signals) {
  const Sleeper sleeper([] {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGUSR2);
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    const timespec time{30, 0};
    sigtimedwait(&set, nullptr, &time);
  });
  EXPECT_EQ(sleeper.words("rt_sigtimedwait"), "rt_sigtimedwait: signals 10, 12, time limit 30s");
  const Sleeper paused([] { pause(); });
  EXPECT_EQ(paused.words("pause"), "pause: until a signal comes");
  const Sleeper suspended([] {
    sigset_t set;
    sigfillset(&set);
    sigsuspend(&set);
  });
  EXPECT_EQ(suspended.words("rt_sigsuspend"), "rt_sigsuspend: until a signal comes");
}

TEST(Calls, SystemV) {
  const int queue = msgget(IPC_PRIVATE, 0600);
  const int set = semget(IPC_PRIVATE, 1, 0600);
  ASSERT_GE(queue, 0);
  ASSERT_GE(set, 0);
  const Sleeper receiver([queue] {
    char message[64];
    msgrcv(queue, message, 8, 0, 0);
  });
  EXPECT_EQ(receiver.words("msgrcv"), "msgrcv: message queue " + std::to_string(queue));
  const Sleeper waiter([set] {
    sembuf take{0, -1, 0};
    const timespec time{30, 0};
    semtimedop(set, &take, 1, &time);
  });
  const std::string words = waiter.words("semtimedop");
  EXPECT_EQ(words, "semtimedop: semaphore set " + std::to_string(set) + ", time limit 30s");
  msgctl(queue, IPC_RMID, nullptr);
  semctl(set, 0, IPC_RMID);
}

TEST(Calls, Transfers) {
  Directory directory;
  const std::string path = directory.file("data");
  const int file = open(path.c_str(), O_RDWR | O_CREAT, 0600);
  ASSERT_EQ(ftruncate(file, 1 << 20), 0);
  const Pipe full;
  full.fill();
  const Sleeper sender([&] { sendfile(full.ends[1], file, nullptr, 4096); });
  EXPECT_EQ(sender.words("sendfile"),
            "sendfile: to " + full.words(1) + ", from " + fd_words(file, path));
  const Pipe empty;
  const Sleeper splicer([&] { splice(empty.ends[0], nullptr, full.ends[1], nullptr, 4096, 0); });
  EXPECT_EQ(splicer.words("splice"), "splice: from " + empty.words(0) + ", to " + full.words(1));
  pause_ms(20);
}

}  // namespace
}  // namespace impasse::system
