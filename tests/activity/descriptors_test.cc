// Descriptors of every kind in words.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <linux/netlink.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>

#include <cstdlib>
#include <cstring>

#include "sleeper.h"

namespace impasse::system {
namespace {

std::string target(int fd) {
  const ProcFiles process;
  Descriptors descriptors(process);
  return descriptors.target(static_cast<std::uint32_t>(getpid()), fd);
}

sockaddr_in loopback(std::uint16_t port = 0) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::string own_name(int fd) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  return "127.0.0.1:" + std::to_string(ntohs(address.sin_port));
}

int listener() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address = loopback();
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(listen(fd, 0), 0);
  return fd;
}

int start_connecting(int to, bool wait) {
  sockaddr_in address{};
  socklen_t size = sizeof address;
  getsockname(to, reinterpret_cast<sockaddr*>(&address), &size);
  const int fd = socket(AF_INET, SOCK_STREAM | (wait ? 0 : SOCK_NONBLOCK), 0);
  connect(fd, reinterpret_cast<sockaddr*>(&address), size);
  return fd;
}

TEST(Descriptors, Tcp) {
  const int server = listener();
  EXPECT_EQ(target(server), "tcp listening on " + own_name(server));
  const int client = start_connecting(server, true);
  const int accepted = accept(server, nullptr, nullptr);
  EXPECT_EQ(target(client), "tcp " + own_name(client) + " → " + own_name(server));
  EXPECT_EQ(target(accepted), "tcp " + own_name(server) + " → " + own_name(client));
  const Sleeper receiver([client] {
    char c = 0;
    recv(client, &c, 1, 0);
  });
  EXPECT_EQ(receiver.words("recvfrom"), "recvfrom: fd " + std::to_string(client) + ", tcp " +
                                            own_name(client) + " → " + own_name(server));
  const Sleeper acceptor([server] { accept(server, nullptr, nullptr); });
  EXPECT_EQ(acceptor.words("accept"),
            "accept: fd " + std::to_string(server) + ", tcp listening on " + own_name(server));
  shutdown(accepted, SHUT_WR);
  pause_ms(20);
  EXPECT_EQ(target(client),
            "tcp " + own_name(client) + " → " + own_name(server) + " (the peer has closed it)");
}

// A listener whose queue is full does not answer.
TEST(Descriptors, Connecting) {
  const int server = listener();
  start_connecting(server, false);
  pause_ms(20);
  int client = -1;
  for (int i = 0; i < 4; ++i) client = start_connecting(server, false);
  pause_ms(20);
  EXPECT_EQ(target(client), "tcp connecting " + own_name(client) + " → " + own_name(server));
  const Sleeper sleeper([server] { start_connecting(server, true); });
  const std::string words = sleeper.words("connect");
  EXPECT_TRUE(words.starts_with("connect: fd ")) << words;
  EXPECT_NE(words.find(", tcp connecting 127.0.0.1:"), std::string::npos) << words;
  EXPECT_TRUE(words.ends_with(" → " + own_name(server))) << words;
}

TEST(Descriptors, Tcp6) {
  const int fd = socket(AF_INET6, SOCK_STREAM, 0);
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  if (fd < 0 || bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) {
    GTEST_SKIP() << "no IPv6 here";
  }
  ASSERT_EQ(listen(fd, 1), 0);
  socklen_t size = sizeof address;
  getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size);
  EXPECT_EQ(target(fd), "tcp6 listening on [::1]:" + std::to_string(ntohs(address.sin6_port)));
}

TEST(Descriptors, Udp) {
  const int one = socket(AF_INET, SOCK_DGRAM, 0);
  sockaddr_in address = loopback();
  ASSERT_EQ(bind(one, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(target(one), "udp " + own_name(one));
  const int two = start_connecting(one, true);  // a stream: refused
  close(two);
  const Sleeper sleeper([one] {
    char c = 0;
    recv(one, &c, 1, 0);
  });
  EXPECT_EQ(sleeper.words("recvfrom"),
            "recvfrom: fd " + std::to_string(one) + ", udp " + own_name(one));
}

TEST(Descriptors, SocketsInNoTable) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  const std::string words = target(fd);
  EXPECT_TRUE(words.starts_with("socket:[")) << words;
  EXPECT_TRUE(words.ends_with("], in no table of the kernel (not bound, or of another kind)"))
      << words;
}

TEST(Descriptors, Unix) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
  EXPECT_EQ(target(pair[0]), "unix (unnamed)");
  const Sleeper sleeper([fd = pair[0]] {
    char c = 0;
    recv(fd, &c, 1, 0);
  });
  EXPECT_EQ(sleeper.words("recvfrom"),
            "recvfrom: fd " + std::to_string(pair[0]) + ", unix (unnamed)");
}

TEST(Descriptors, NamedUnix) {
  char directory[] = "/tmp/impasse_activity_XXXXXX";
  ASSERT_NE(mkdtemp(directory), nullptr);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s/a socket", directory);
  const int server = socket(AF_UNIX, SOCK_STREAM, 0);
  auto* const plain = reinterpret_cast<sockaddr*>(&address);
  ASSERT_EQ(bind(server, plain, sizeof address), 0);
  ASSERT_EQ(listen(server, 0), 0);
  EXPECT_EQ(target(server), std::string("unix listening on ") + address.sun_path);
  // The queue takes one; the next has to wait.
  ASSERT_EQ(connect(socket(AF_UNIX, SOCK_STREAM, 0), plain, sizeof address), 0);
  const int client = socket(AF_UNIX, SOCK_STREAM, 0);
  const Sleeper sleeper([client, address]() mutable {
    connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address);
  });
  EXPECT_EQ(sleeper.words("connect"), "connect: fd " + std::to_string(client) +
                                          ", unix (unnamed), to unix " + address.sun_path);
  unlink(address.sun_path);
  rmdir(directory);
}

TEST(Descriptors, Netlink) {
  const int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);
  if (fd < 0) GTEST_SKIP() << "no netlink here";
  sockaddr_nl address{};
  address.nl_family = AF_NETLINK;
  ASSERT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  EXPECT_EQ(target(fd), "netlink");
}

TEST(Descriptors, Anonymous) {
  EXPECT_EQ(target(eventfd(0, 0)), "eventfd");
  EXPECT_EQ(target(epoll_create1(0)), "epoll");
  EXPECT_EQ(target(inotify_init()), "inotify");
  sigset_t set;
  sigemptyset(&set);
  EXPECT_EQ(target(signalfd(-1, &set, 0)), "signalfd");
  const int timer = timerfd_create(CLOCK_MONOTONIC, 0);
  EXPECT_EQ(target(timer), "timerfd, not running");
  const itimerspec time{{0, 0}, {3600, 0}};
  timerfd_settime(timer, 0, &time, nullptr);
  EXPECT_TRUE(target(timer).starts_with("timerfd, fires in 59m 5")) << target(timer);
  const auto pidfd = static_cast<int>(syscall(SYS_pidfd_open, getpid(), 0));
  if (pidfd >= 0) {
    EXPECT_EQ(target(pidfd), "pidfd of process " + std::to_string(getpid()));
  }
}

TEST(Descriptors, EpollWithManyInside) {
  const int epoll = epoll_create1(0);
  const int event = eventfd(0, 0);
  epoll_event wanted{};
  ASSERT_EQ(epoll_ctl(epoll, EPOLL_CTL_ADD, event, &wanted), 0);
  const ProcFiles process;
  Descriptors descriptors(process);
  const auto tid = static_cast<std::uint32_t>(getpid());
  EXPECT_EQ(descriptors.epoll_words(tid, epoll), "fd " + std::to_string(epoll) +
                                                     ", epoll of 1 descriptor: fd " +
                                                     std::to_string(event) + ", eventfd");
  EXPECT_EQ(descriptors.epoll_words(tid, event), "fd " + std::to_string(event) + ", eventfd");
}

TEST(Descriptors, Files) {
  char path[] = "/tmp/impasse_activity_XXXXXX";
  const int fd = mkstemp(path);
  EXPECT_EQ(target(fd), path);
  unlink(path);
  EXPECT_EQ(target(fd), std::string(path) + " (deleted)");
  EXPECT_EQ(target(open("/dev/null", O_RDONLY)), "/dev/null");
  EXPECT_EQ(target(memfd_create("some name", 0)), "/memfd:some name (deleted)");
  const int terminal = posix_openpt(O_RDWR | O_NOCTTY);
  if (terminal >= 0) {
    EXPECT_TRUE(target(terminal).starts_with("/dev/")) << target(terminal);
  }
}

TEST(Descriptors, NotOpen) {
  EXPECT_EQ(target(-1), "not open");
  EXPECT_EQ(target(123'456), "not open");
}

// A thread may have a table of its own: its descriptors are meant, and not the process's.
TEST(Descriptors, OfTheThread) {
  static std::atomic<int> number{-1};
  const Sleeper sleeper([] {
    ASSERT_EQ(unshare(CLONE_FILES), 0);
    const int fd = eventfd(0, 0);
    dup2(fd, 700);
    number = 700;
    pause();
  });
  while (number != 700) pause_ms(1);
  const ProcFiles process;
  Descriptors descriptors(process);
  EXPECT_EQ(descriptors.words(sleeper.tid(), 700), "fd 700, eventfd");
  EXPECT_EQ(target(700), "not open");
}

}  // namespace
}  // namespace impasse::system
