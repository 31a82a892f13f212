// Calls that may block, without a lock and under two of them: the same answers, the same errno,
// the same bytes; interrupted, timed out, cancelled. Built once more as distributions build
// (_FORTIFY_SOURCE, large files), which makes other functions of libc out of the same calls.
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>

#include "support/blocked.h"
#include "support/bystander.h"
#include "support/driver.h"
#include "support/observed.h"

namespace {

using transparency::Bystander;
using transparency::error_name;
using transparency::require;
using transparency::say;

// Not known when this is compiled: the fortified functions are those that look at it.
volatile std::size_t g_room = 16;

std::mutex g_mutex;
std::shared_mutex g_rwlock;

template <typename Body>
void free_and_locked(Body body) {
  Bystander other;  // the process has a second thread from here on
  say("without a lock");
  body();
  say("under two");
  const std::scoped_lock exclusive(g_mutex);
  const std::shared_lock shared(g_rwlock);
  body();
}

void tell(const char* what, long answer) {
  if (answer < 0) {
    say("%s: %s", what, error_name(errno));
  } else {
    say("%s: %ld", what, answer);
  }
}

struct Pipe {
  int from = -1;
  int to = -1;
  explicit Pipe(int flags = 0) {
    int ends[2];
    require(pipe2(ends, flags | O_CLOEXEC) == 0, "a pipe");
    from = ends[0];
    to = ends[1];
  }
  ~Pipe() {
    close(from);
    close(to);
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
};

struct Pair {
  int one = -1;
  int other = -1;
  explicit Pair(int type = SOCK_STREAM) {
    int ends[2];
    require(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, ends) == 0, "a pair of sockets");
    one = ends[0];
    other = ends[1];
  }
  ~Pair() {
    close(one);
    close(other);
  }
  Pair(const Pair&) = delete;
  Pair& operator=(const Pair&) = delete;
};

class Place {
 public:
  Place() { require(mkdtemp(path_) != nullptr, "a directory"); }
  ~Place() { rmdir(path_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  std::string file(const char* name) const { return std::string(path_) + "/" + name; }

 private:
  char path_[32] = "/tmp/impasse-calls.XXXXXX";
};

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

void pipes() {
  free_and_locked([] {
    Pipe pipe(O_NONBLOCK);
    std::array<char, 16> text{};
    errno = EXDEV;
    tell("write", write(pipe.to, "0123456789", 10));
    tell("errno of what went well", errno == EXDEV ? 0 : 1);
    tell("short read", read(pipe.from, text.data(), g_room));
    say("%s", text.data());
    tell("read of nothing", read(pipe.from, text.data(), g_room));
    tell("read of nobody", read(-1, text.data(), g_room));
    tell("write to nobody", write(-1, "x", 1));
    iovec parts[2] = {{text.data(), 3}, {text.data() + 8, 8}};
    tell("writev", writev(pipe.to, parts, 2));
    tell("readv", readv(pipe.from, parts, 2));
    close(pipe.to);
    tell("read at the end", read(pipe.from, text.data(), g_room));
    pipe.to = -1;
  });
}

void files() {
  umask(022);
  free_and_locked([] {
    const Place place;
    const std::string path = place.file("made");
    const auto mode_of = [&path] {
      struct stat file {};
      require(stat(path.c_str(), &file) == 0, "it is there");
      return static_cast<long>(file.st_mode & 07777);
    };
    volatile int plain = O_RDONLY | O_CLOEXEC;
    tell("open in vain", open(path.c_str(), plain));
    int file = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_EXCL, 0640);
    say("mode %lo", mode_of());
    tell("open what is there", open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    std::array<char, 16> text{};
    tell("pwrite", pwrite(file, "0123456789", 10, 5));
    tell("pread", pread(file, text.data(), g_room, 7));
    say("%s", text.data());
    tell("pread of nobody", pread(-1, text.data(), g_room, 0));
    iovec part{text.data(), 4};
    tell("pwritev", pwritev(file, &part, 1, 20));
    tell("preadv", preadv(file, &part, 1, 6));
    tell("fsync", fsync(file));
    tell("fdatasync", fdatasync(file));
    tell("fsync of nobody", fsync(-1));
    tell("flock", flock(file, LOCK_EX | LOCK_NB));
    tell("lockf", lockf(file, F_TEST, 0));
    void* const memory = mmap(nullptr, 24, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    tell("msync", msync(memory, 24, MS_SYNC));
    munmap(memory, 24);
    Pipe pipe;
    off_t at = 0;
    tell("sendfile", sendfile(pipe.to, file, &at, 12));
    tell("... up to", at);
    close(file);
    require(unlink(path.c_str()) == 0, "removed");
    file = openat(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0604);
    say("mode %lo", mode_of());
    close(file);
    file = openat(AT_FDCWD, path.c_str(), plain);
    tell("openat without a mode", file >= 0 ? 0 : -1);
    close(file);
    unlink(path.c_str());
    file = creat(path.c_str(), 0700);
    say("mode %lo", mode_of());
    close(file);
    unlink(path.c_str());
    file = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    tell("a file without a name", file >= 0 || errno == EOPNOTSUPP ? 0 : -1);
    if (file >= 0) close(file);
  });
}

void sockets() {
  free_and_locked([] {
    const Pair pair;
    std::array<char, 16> text{};
    tell("send", send(pair.one, "abcdef", 6, 0));
    tell("recv", recv(pair.other, text.data(), g_room, MSG_PEEK));
    tell("recvfrom", recvfrom(pair.other, text.data(), g_room, 0, nullptr, nullptr));
    say("%s", text.data());
    tell("recv of nothing", recv(pair.other, text.data(), g_room, MSG_DONTWAIT));
    tell("sendto", sendto(pair.one, "gh", 2, 0, nullptr, 0));
    iovec part{text.data(), text.size()};
    msghdr message{};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    tell("recvmsg", recvmsg(pair.other, &message, 0));
    tell("sendmsg", sendmsg(pair.one, &message, 0));
    mmsghdr several{message, 0};
    tell("recvmmsg", recvmmsg(pair.other, &several, 1, MSG_DONTWAIT, nullptr));
    tell("... of", several.msg_len);
    tell("sendmmsg", sendmmsg(pair.other, &several, 1, 0));
    tell("recv of nobody", recv(-1, text.data(), g_room, 0));

    sockaddr_in here{};
    here.sin_family = AF_INET;
    here.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof here;
    const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto* const address = reinterpret_cast<sockaddr*>(&here);
    require(bind(listener, address, size) == 0 && listen(listener, 4) == 0, "somebody listens");
    require(getsockname(listener, address, &size) == 0, "its port");
    for (const bool with_flags : {false, true}) {
      const int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      tell("connect", connect(client, address, size));
      sockaddr_in peer{};
      socklen_t peer_size = sizeof peer;
      auto* const who = reinterpret_cast<sockaddr*>(&peer);
      const int server = with_flags ? accept4(listener, who, &peer_size, SOCK_CLOEXEC)
                                    : accept(listener, who, &peer_size);
      tell("accept", server >= 0 && peer.sin_family == AF_INET ? 0 : -1);
      tell("connect again", connect(client, address, size));
      close(server);
      close(client);
    }
    close(listener);
    tell("accept of nobody", accept(listener, nullptr, nullptr));
  });
}

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
    std::mutex mutex;
    std::atomic<pid_t> tid{0};
    std::atomic<bool> unwound{false};
    std::thread thread([&] {
      struct Says {
        std::atomic<bool>& word;
        ~Says() { word = true; }
      } const says{unwound};
      std::unique_lock lock(mutex, std::defer_lock);
      if (locked) lock.lock();
      tid = gettid();
      char byte = 0;
      static_cast<void>(!read(pipe.from, &byte, 1));
    });
    while (tid == 0) std::this_thread::yield();
    transparency::wait_until_in_call(tid, SYS_read);
    require(pthread_cancel(thread.native_handle()) == 0, "cancelled");
    thread.join();
    say("%s: unwound %d, free %d", locked ? "under a lock" : "without a lock",
        unwound.load() ? 1 : 0, mutex.try_lock() ? 1 : 0);
    mutex.unlock();
  }
}

constexpr transparency::Case kCases[] = {
    {"pipes", pipes},
    {"files", files},
    {"sockets", sockets},
    {"polling", polling},
    {"sleeping", sleeping},
    {"children", children},
    {"in-children", in_children},
    {"names", names},
    {"interrupted", interrupted},
    {"in-handlers", in_handlers},
    {"cancelled", cancelled},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
