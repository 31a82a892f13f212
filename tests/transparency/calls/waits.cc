// Calls that wait: for descriptors, for a time, for children; interrupted, timed out, cancelled.
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <ctime>
#include <mutex>
#include <thread>

#include "calls/scene.h"
#include "support/blocked.h"

namespace transparency::calls {
namespace {

// Interrupts the thread that made it until it is gone.
class Interrupter {
 public:
  Interrupter() {
    struct sigaction action {};
    action.sa_handler = [](int) {};
    require(sigaction(SIGUSR1, &action, nullptr) == 0, "a handler that does not restart");
    thread_ = std::thread([this, target = pthread_self()] {
      while (!done_) {
        pthread_kill(target, SIGUSR1);
        const timespec step{0, 2'000'000};
        nanosleep(&step, nullptr);
      }
    });
  }
  ~Interrupter() {
    done_ = true;
    thread_.join();
    signal(SIGUSR1, SIG_IGN);
  }
  Interrupter(const Interrupter&) = delete;
  Interrupter& operator=(const Interrupter&) = delete;

 private:
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace

void polling() {
  free_and_locked([] {
    Pipe pipe;
    volatile nfds_t one = 1;
    pollfd wanted[2] = {{pipe.from, POLLIN, 0}, {}};
    const timespec soon{0, 1'000'000};
    sigset_t none;
    sigemptyset(&none);
    const int epoll = epoll_create1(EPOLL_CLOEXEC);
    epoll_event event{};
    event.events = EPOLLIN;
    require(epoll_ctl(epoll, EPOLL_CTL_ADD, pipe.from, &event) == 0, "watched");
    for (const bool ready : {false, true}) {
      if (ready) require(write(pipe.to, "x", 1) == 1, "one byte");
      tell("poll", poll(wanted, one, 1));
      tell("ppoll", ppoll(wanted, one, &soon, &none));
      fd_set set;
      FD_ZERO(&set);
      FD_SET(pipe.from, &set);
      timeval time{0, 1'000};
      tell("select", select(pipe.from + 1, &set, nullptr, nullptr, &time));
      FD_SET(pipe.from, &set);
      tell("pselect", pselect(pipe.from + 1, &set, nullptr, nullptr, &soon, &none));
      tell("epoll_wait", epoll_wait(epoll, &event, 1, 1));
      tell("epoll_pwait", epoll_pwait(epoll, &event, 1, 1, &none));
    }
    tell("epoll_wait of nobody", epoll_wait(-1, &event, 1, 0));
    tell("select of too many", select(-1, nullptr, nullptr, nullptr, nullptr));
    close(epoll);
  });
}

void sleeping() {
  free_and_locked([] {
    const timespec step{0, 2'000'000};
    const timespec wrong{0, 1'000'000'000};
    tell("nanosleep", nanosleep(&step, nullptr));
    tell("nanosleep, wrongly", nanosleep(&wrong, nullptr));
    say("clock_nanosleep: %d", clock_nanosleep(CLOCK_MONOTONIC, 0, &step, nullptr));
    say("wrongly: %s", error_name(clock_nanosleep(CLOCK_MONOTONIC, 0, &wrong, nullptr)));
    tell("usleep", usleep(1'000));
    tell("sleep", sleep(0));
  });
}

void children() {
  free_and_locked([] {
    const auto child = [](int status) {
      const pid_t pid = fork();
      if (pid == 0) _exit(status);
      require(pid > 0, "a child");
      return pid;
    };
    int status = 0;
    rusage usage{};
    pid_t pid = child(3);
    say("waitpid: %d", waitpid(pid, &status, 0) == pid ? WEXITSTATUS(status) : -1);
    pid = child(4);
    say("wait: %d", wait(&status) == pid ? WEXITSTATUS(status) : -1);
    pid = child(5);
    say("wait3: %d", wait3(&status, 0, &usage) == pid ? WEXITSTATUS(status) : -1);
    pid = child(6);
    say("wait4: %d", wait4(pid, &status, 0, &usage) == pid ? WEXITSTATUS(status) : -1);
    pid = child(7);
    siginfo_t info{};
    say("waitid: %d",
        waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED) == 0 ? info.si_status : -1);
    tell("waitpid for nobody", waitpid(-1, &status, 0));
    tell("waitid for nobody", waitid(P_ALL, 0, &info, WEXITED));
  });
}

// A forked child goes on under its parent's lock; a vfork child does so in its parent's memory.
void in_children() {
  free_and_locked([] {
    Pipe pipe;
    pid_t pid = fork();
    if (pid == 0) {
      char byte = 0;
      const bool well = write(pipe.to, "f", 1) == 1 && read(pipe.from, &byte, 1) == 1;
      _exit(well && byte == 'f' ? 0 : 1);
    }
    int status = -1;
    require(waitpid(pid, &status, 0) == pid, "a forked child");
    say("forked: %d", status);
    char byte = 0;
    pid = vfork();
    if (pid == 0) {
      const bool well = write(pipe.to, "v", 1) == 1 && read(-1, &byte, 1) == -1;
      _exit(well && errno == EBADF ? 0 : 1);
    }
    require(waitpid(pid, &status, 0) == pid, "a vforked child");
    say("vforked: %d", status);
    tell("read what it wrote", read(pipe.from, &byte, 1));
    say("%c", byte);
  });
}

void names() {
  free_and_locked([] {
    addrinfo hints{};
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    hints.ai_socktype = SOCK_STREAM;
    addrinfo* found = nullptr;
    const int answer = getaddrinfo("127.0.0.1", "80", &hints, &found);
    say("getaddrinfo: %s", answer == 0 ? "found" : gai_strerror(answer));
    require(found != nullptr, "an address");
    say("port %d", ntohs(reinterpret_cast<sockaddr_in*>(found->ai_addr)->sin_port));
    freeaddrinfo(found);
    say("in vain: %s", gai_strerror(getaddrinfo("no-number", "80", &hints, &found)));
  });
}

void interrupted() {
  free_and_locked([] {
    const Interrupter interrupter;
    Pipe pipe;
    char byte = 0;
    tell("read", read(pipe.from, &byte, 1));
    pollfd wanted{pipe.from, POLLIN, 0};
    tell("poll", poll(&wanted, 1, -1));
    const timespec long_time{3'600, 0};
    timespec rest{};
    tell("nanosleep", nanosleep(&long_time, &rest));
    say("a rest: %d", rest.tv_sec >= 3'500 ? 1 : 0);
    const Pair pair;
    tell("recv", recv(pair.one, &byte, 1, 0));
    say("sleep: %d", sleep(3'600) >= 3'500 ? 1 : 0);
  });
}

// The handler calls what may block, too: in the middle of a call of the thread that it interrupts.
void in_handlers() {
  static Pipe* pipe = nullptr;
  static std::atomic<int> handled{0};
  free_and_locked([] {
    Pipe own(O_NONBLOCK);
    pipe = &own;
    handled = 0;
    struct sigaction action {};
    action.sa_handler = [](int) {
      const int before = errno;
      char byte = 0;
      if (read(pipe->from, &byte, 1) == -1 && errno == EAGAIN) ++handled;
      errno = before;
    };
    action.sa_flags = SA_RESTART;
    require(sigaction(SIGUSR2, &action, nullptr) == 0, "a handler");
    std::atomic<bool> done{false};
    std::thread other([&, target = pthread_self()] {
      while (!done) pthread_kill(target, SIGUSR2);
    });
    int well = 0;
    for (int i = 0; i < 2'000 || handled < 200; ++i) {
      errno = 0;
      well += write(-1, "x", 1) == -1 && errno == EBADF ? 0 : 1;
    }
    done = true;
    other.join();
    signal(SIGUSR2, SIG_IGN);
    say("wrong answers: %d", well);
  });
}

// The lock is given back by a guard that the cancelled thread unwinds through.
void cancelled() {
  for (const bool locked : {false, true}) {
    Pipe pipe;
    std::mutex guarded;
    std::atomic<pid_t> tid{0};
    std::atomic<bool> unwound{false};
    std::thread thread([&] {
      struct Says {
        std::atomic<bool>& word;
        ~Says() { word = true; }
      } const says{unwound};
      std::unique_lock lock(guarded, std::defer_lock);
      if (locked) lock.lock();
      tid = gettid();
      char byte = 0;
      static_cast<void>(!read(pipe.from, &byte, 1));
    });
    while (tid == 0) std::this_thread::yield();
    wait_until_in_call(tid, SYS_read);
    require(pthread_cancel(thread.native_handle()) == 0, "cancelled");
    thread.join();
    say("%s: unwound %d, free %d", locked ? "under a lock" : "without a lock",
        unwound.load() ? 1 : 0, guarded.try_lock() ? 1 : 0);
    guarded.unlock();
  }
}

}  // namespace transparency::calls
