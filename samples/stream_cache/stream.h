// The stream of a node, its lock and where it is loaded from: what all variants have in common.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>

#include "silent_peer.h"

namespace stream_cache {

struct StreamView {
  std::string last_miniblock;
};

// The storage is a peer on loopback: it answers with a view, or says "busy", or nothing.
class Storage {
 public:
  explicit Storage(std::uint16_t port) : port_(port) {}

  // Reads until as much has come as was asked for.
  [[gnu::noinline]] StreamView readStreamFromLastSnapshot(std::size_t length) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = samples::loopback_address(port_);
    if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      samples::give_up("connect");
    }
    constexpr std::string_view request = "last snapshot, please";
    if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) samples::give_up("send");
    StreamView view;
    while (view.last_miniblock.size() < length) {
      char part[64];
      const ssize_t got = recv(fd, part, sizeof part, 0);
      if (got <= 0) samples::give_up("recv");
      view.last_miniblock.append(part, static_cast<std::size_t>(got));
    }
    close(fd);
    return view;
  }

 private:
  std::uint16_t port_;
};

// `Mutex` is a std::shared_mutex or what is used like one.
template <typename Mutex>
class Stream {
 public:
  [[gnu::noinline]] std::shared_ptr<const StreamView> tryGetView() {
    std::shared_lock lock(mu);
    return view_;
  }

  [[gnu::noinline]] void setView(std::shared_ptr<const StreamView> view) {
    std::unique_lock lock(mu);
    view_.swap(view);
  }

  // For those who hold the lock.
  const StreamView& view() const { return *view_; }
  void set(StreamView view) { view_ = std::make_shared<const StreamView>(std::move(view)); }

  Mutex mu;

 private:
  std::shared_ptr<const StreamView> view_ = std::make_shared<const StreamView>();
};

}  // namespace stream_cache
