// Readers behind a writer that nobody sees.
//
// A node serves streams. lockMuAndLoadView takes Stream::mu for writing and, still holding it,
// reads the stream from a storage peer that accepts the connection and never answers. The RPC
// threads that want the stream (GetLastMiniblockHash, SyncStreams) pile up in tryGetView, on the
// read lock.
//
// Prints "stuck: TID", the thread that holds the lock, once every reader is blocked.
//   --readers N   how many threads want to read (6)
//   --seconds S   the peer answers S seconds after that, and all ends well; without it: never
//   --healthy     the repaired program: loads first, takes the lock only to put the view in its
//   place
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <system_error>
#include <thread>
#include <vector>

#include "blocked_thread.h"
#include "silent_peer.h"

constexpr std::string_view kSnapshot = "miniblock 41";

struct StreamView {
  std::string last_miniblock;
};

class Storage {
 public:
  explicit Storage(std::uint16_t port) : port_(port) {}

  [[gnu::noinline]] StreamView readStreamFromLastSnapshot() {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = samples::loopback_address(port_);
    if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
      samples::give_up("connect");
    }
    constexpr std::string_view request = "last snapshot, please";
    if (send(fd, request.data(), request.size(), MSG_NOSIGNAL) < 0) samples::give_up("send");
    StreamView view;
    while (view.last_miniblock.size() < kSnapshot.size()) {
      char part[64];
      const ssize_t length = recv(fd, part, sizeof part, 0);
      if (length <= 0) samples::give_up("recv");
      view.last_miniblock.append(part, static_cast<std::size_t>(length));
    }
    close(fd);
    return view;
  }

 private:
  std::uint16_t port_;
};

class Stream {
 public:
  explicit Stream(Storage& storage) : storage_(storage) {}

  [[gnu::noinline]] std::shared_ptr<const StreamView> tryGetView() {
    std::shared_lock lock(mu);
    return view_;
  }

  [[gnu::noinline]] void lockMuAndLoadView() {
    std::unique_lock lock(mu);
    view_ = std::make_shared<const StreamView>(storage_.readStreamFromLastSnapshot());
  }

  [[gnu::noinline]] void loadViewAndSwap() {
    auto loaded = std::make_shared<const StreamView>(storage_.readStreamFromLastSnapshot());
    std::unique_lock lock(mu);
    view_.swap(loaded);
  }

  std::shared_mutex mu;

 private:
  Storage& storage_;
  std::shared_ptr<const StreamView> view_ = std::make_shared<const StreamView>();
};

[[gnu::noinline]] std::string GetLastMiniblockHash(Stream& stream) {
  const auto view = stream.tryGetView();
  return "hash of " + view->last_miniblock;
}

[[gnu::noinline]] std::size_t SyncStreams(Stream& stream) {
  const auto view = stream.tryGetView();
  return view->last_miniblock.size();
}

namespace {

struct Options {
  int readers = 6;
  std::optional<double> seconds;
  bool healthy = false;
};

template <typename Number>
bool parse(const char* text, Number& number) {
  const char* end = text + std::strlen(text);
  const auto [stop, error] = std::from_chars(text, end, number);
  return error == std::errc() && stop == end && number >= 0;
}

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    bool understood = false;
    if (name == "--healthy") {
      options.healthy = understood = true;
    } else if (name == "--readers" && i + 1 < argc) {
      understood = parse(argv[++i], options.readers);
    } else if (name == "--seconds" && i + 1 < argc) {
      understood = parse(argv[++i], options.seconds.emplace());
    }
    if (!understood) {
      std::fprintf(stderr, "usage: %s [--readers N] [--seconds S] [--healthy]\n", argv[0]);
      std::exit(2);
    }
  }
  return options;
}

void name_this_thread(const std::string& name) {
  pthread_setname_np(pthread_self(), name.c_str());
}

// The threads that want to read: "sync-1", "rpc-1", "sync-2", … in turn.
class Readers {
 public:
  Readers(Stream& stream, int count) : tids_(static_cast<std::size_t>(count)) {
    for (std::size_t i = 0; i < tids_.size(); ++i) {
      threads_.emplace_back([this, &stream, i] {
        const std::string number = std::to_string(i / 2 + 1);
        name_this_thread((i % 2 == 0 ? "sync-" : "rpc-") + number);
        tids_[i].store(gettid());
        if (i % 2 == 0) {
          seen_.fetch_add(SyncStreams(stream));
        } else {
          seen_.fetch_add(GetLastMiniblockHash(stream).size() - std::strlen("hash of "));
        }
      });
    }
  }

  bool all_blocked_on(const std::shared_mutex& lock) const {
    for (const auto& tid : tids_) {
      if (tid == 0 || !samples::is_blocked_on(tid, &lock, sizeof lock)) return false;
    }
    return true;
  }

  // How much of the stream all of them saw together.
  std::size_t join() {
    for (std::thread& thread : threads_) thread.join();
    return seen_;
  }

 private:
  std::vector<std::atomic<pid_t>> tids_;
  std::atomic<std::size_t> seen_{0};
  std::vector<std::thread> threads_;
};

int run_stuck(const Options& options) {
  samples::SilentPeer peer;
  Storage storage(peer.port());
  const auto stream = std::make_unique<Stream>(storage);
  std::atomic<pid_t> holder{0};
  std::thread loader([&] {
    name_this_thread("stream-load");
    holder = gettid();
    stream->lockMuAndLoadView();
  });
  // The request is sent under the lock: whoever comes from now on finds it taken.
  if (!samples::wait_until([&] { return peer.was_asked(); })) std::_Exit(3);
  Readers readers(*stream, options.readers);
  if (!samples::wait_until([&] { return readers.all_blocked_on(stream->mu); })) {
    std::fputs("the readers do not block on Stream::mu\n", stderr);
    std::_Exit(3);
  }
  std::printf("stuck: %d\n", holder.load());
  std::fflush(stdout);
  if (options.seconds) {
    std::this_thread::sleep_for(std::chrono::duration<double>(*options.seconds));
    peer.answer(kSnapshot);
  }
  loader.join();
  const std::size_t expected = kSnapshot.size() * static_cast<std::size_t>(options.readers);
  return readers.join() == expected ? 0 : 1;
}

int run_healthy(const Options& options) {
  samples::SilentPeer peer;
  Storage storage(peer.port());
  const auto stream = std::make_unique<Stream>(storage);
  std::thread loader([&] {
    name_this_thread("stream-load");
    stream->loadViewAndSwap();
  });
  if (!samples::wait_until([&] { return peer.was_asked(); })) std::_Exit(3);
  // All of them are served, with the view of before, while the peer is still silent.
  const bool served_at_once = Readers(*stream, options.readers).join() == 0;
  peer.answer(kSnapshot);
  loader.join();
  return served_at_once && stream->tryGetView()->last_miniblock == kSnapshot ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  return options.healthy ? run_healthy(options) : run_stuck(options);
}
