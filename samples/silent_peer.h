// A storage peer on loopback that accepts a connection and then says nothing, until it is told to
// answer.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <thread>

namespace samples {

[[noreturn]] inline void give_up(const char* what) {
  std::perror(what);
  std::exit(2);
}

inline sockaddr_in loopback_address(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

class LoopbackListener {
 public:
  LoopbackListener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback_address(0);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    if (fd_ < 0 || bind(fd_, generic, size) != 0 || listen(fd_, 8) != 0 ||
        getsockname(fd_, generic, &size) != 0) {
      give_up("cannot listen on 127.0.0.1");
    }
    port_ = ntohs(address.sin_port);
  }
  ~LoopbackListener() { close(fd_); }

  LoopbackListener(const LoopbackListener&) = delete;
  LoopbackListener& operator=(const LoopbackListener&) = delete;

  int fd() const { return fd_; }
  std::uint16_t port() const { return port_; }

 private:
  int fd_;
  std::uint16_t port_ = 0;
};

class SilentPeer {
 public:
  SilentPeer() { thread_ = std::thread(&SilentPeer::serve_one, this); }

  // Returns once the client has hung up.
  ~SilentPeer() { thread_.join(); }

  SilentPeer(const SilentPeer&) = delete;
  SilentPeer& operator=(const SilentPeer&) = delete;

  std::uint16_t port() const { return listener_.port(); }

  // Whether a request has arrived: from then on somebody waits for an answer.
  bool was_asked() const { return connection_.load() >= 0; }

  void answer(std::string_view text) {
    if (send(connection_.load(), text.data(), text.size(), MSG_NOSIGNAL) < 0) give_up("send");
  }

 private:
  void serve_one() {
    pthread_setname_np(pthread_self(), "peer");
    const int connection = accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
    if (connection < 0) give_up("accept");
    char request[256];
    if (recv(connection, request, sizeof request, 0) <= 0) give_up("recv");
    connection_.store(connection);
    // Silence: waits for another request, which does not come, or for the end of the connection.
    while (recv(connection, request, sizeof request, 0) > 0) {
    }
    close(connection);
  }

  LoopbackListener listener_;
  std::atomic<int> connection_{-1};
  std::thread thread_;
};

}  // namespace samples
