// A storage peer on loopback that takes a moment and then answers the same to everybody, one after
// the other.
#pragma once

#include <chrono>
#include <string_view>

#include "silent_peer.h"

namespace samples {

class BusyPeer {
 public:
  explicit BusyPeer(std::string_view answer) : answer_(answer) {
    thread_ = std::thread(&BusyPeer::serve, this);
  }

  // Returns once the one that is being served has its answer.
  ~BusyPeer() {
    shutdown(listener_.fd(), SHUT_RDWR);
    thread_.join();
  }

  BusyPeer(const BusyPeer&) = delete;
  BusyPeer& operator=(const BusyPeer&) = delete;

  std::uint16_t port() const { return listener_.port(); }
  int times_asked() const { return asked_; }

 private:
  static constexpr std::chrono::milliseconds kMoment{20};

  void serve() {
    pthread_setname_np(pthread_self(), "peer");
    for (;;) {
      const int connection = accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) return;
      char request[256];
      if (recv(connection, request, sizeof request, 0) > 0) {
        ++asked_;
        std::this_thread::sleep_for(kMoment);
        if (send(connection, answer_.data(), answer_.size(), MSG_NOSIGNAL) < 0) give_up("send");
      }
      close(connection);
    }
  }

  LoopbackListener listener_;
  std::string_view answer_;
  std::atomic<int> asked_{0};
  std::thread thread_;
};

}  // namespace samples
