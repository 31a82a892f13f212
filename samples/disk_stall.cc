// One slow disk, three silent hours.
//
// A consensus loop holds raft_lock while it appends to its log; the disk stalls, which is played by
// a FIFO that nobody reads: a write that blocks for real. Metadata queries wait for raft_lock, each
// holding its topic's lock; produce handlers wait for the topics; forwarders wait on sockets for
// the handlers: three layers, 40 threads, one root.
//
// Prints "stuck: TID", the thread that writes, once all the others wait, and stays so.
//   --log PATH    where to make the FIFO (it is removed when all ends well); without it: in a
//                 directory of its own, with no name left
//   --healthy     the disk is read all the time: ends with 0
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <mutex>
#include <string>

#include "sample.h"
#include "silent_peer.h"

constexpr std::size_t kTopics = 8;
constexpr std::size_t kHandlers = 16;  // one for each forwarder, but for the last one
constexpr std::size_t kForwarders = 15;
static_assert(1 + kTopics + kHandlers + kForwarders == 40);
constexpr std::size_t kEntry = 4096;
constexpr int kEntries = 64;  // of the healthy program; more than fits into a FIFO

struct Topic {
  std::mutex mutex;
  long offset = 0;
};

class Log {
 public:
  explicit Log(int fd) : fd_(fd) {}

  [[gnu::noinline]] void appendEntry() {
    std::array<char, kEntry> entry{};
    std::size_t done = 0;
    while (done < entry.size()) {
      const ssize_t written = write(fd_, entry.data() + done, entry.size() - done);
      if (written < 0) samples::give_up("write");
      done += static_cast<std::size_t>(written);
    }
    ++last_index_;
  }

  long last_index() const { return last_index_; }

 private:
  int fd_;
  std::atomic<long> last_index_{0};
};

class Broker {
 public:
  explicit Broker(int log_fd) : log_(log_fd) {}

  [[gnu::noinline]] void appendAndSync() {
    std::lock_guard lock(raft_lock);
    log_.appendEntry();
  }

  [[gnu::noinline]] long queryMetadata() {
    std::lock_guard lock(raft_lock);
    return log_.last_index();
  }

  [[gnu::noinline]] void refreshTopic(Topic& topic) {
    std::lock_guard lock(topic.mutex);
    topic.offset = queryMetadata();
  }

  [[gnu::noinline]] void handleProduce(Topic& topic, int answer_to) {
    std::lock_guard lock(topic.mutex);
    ++topic.offset;
    if (answer_to >= 0 && send(answer_to, "k", 1, MSG_NOSIGNAL) != 1) samples::give_up("send");
  }

  [[gnu::noinline]] static bool forwardProduce(int handler) {
    char answer = 0;
    return recv(handler, &answer, 1, 0) == 1 && answer == 'k';
  }

  long last_index() const { return log_.last_index(); }

  std::mutex raft_lock;

 private:
  Log log_;
};

namespace {

// The two ends of each of the connections between handlers and forwarders.
struct Connections {
  Connections() {
    for (std::size_t i = 0; i < kForwarders; ++i) {
      const samples::LoopbackListener listener;
      const sockaddr_in address = samples::loopback_address(listener.port());
      forwarder[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
      if (forwarder[i] < 0 ||
          connect(forwarder[i], reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
        samples::give_up("connect");
      }
      handler[i] = accept4(listener.fd(), nullptr, nullptr, SOCK_CLOEXEC);
      if (handler[i] < 0) samples::give_up("accept");
    }
    handler[kForwarders] = -1;
  }
  std::array<int, kForwarders> forwarder;
  std::array<int, kHandlers> handler;
};

int open_fifo(const char* path) {
  if (mkfifo(path, 0600) != 0) samples::give_up(path);
  // Open at both ends: a write then finds a reader, which does not read.
  const int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) samples::give_up(path);
  return fd;
}

int open_nameless_fifo() {
  char directory[] = "/tmp/disk_stall.XXXXXX";
  if (mkdtemp(directory) == nullptr) samples::give_up(directory);
  const std::string path = std::string(directory) + "/raft.log";
  const int fd = open_fifo(path.c_str());
  unlink(path.c_str());
  rmdir(directory);
  return fd;
}

class Crowd {
 public:
  explicit Crowd(Broker& broker) : broker_(broker) {}

  void start_queries() {
    for (std::size_t i = 0; i < kTopics; ++i) {
      start("query", [this, i] { broker_.refreshTopic(topics_[i]); });
    }
  }
  void start_handlers() {
    for (std::size_t i = 0; i < kHandlers; ++i) {
      start("produce",
            [this, i] { broker_.handleProduce(topics_[i % kTopics], connections_.handler[i]); });
    }
  }
  void start_forwarders() {
    for (std::size_t i = 0; i < kForwarders; ++i) {
      start("forward",
            [this, i] { forwarded_ += Broker::forwardProduce(connections_.forwarder[i]); });
    }
  }

  bool queries_wait() const {
    for (std::size_t i = 0; i < kTopics; ++i) {
      if (!threads_[i].is_blocked_on(broker_.raft_lock)) return false;
    }
    return true;
  }
  bool all_wait() const {
    for (std::size_t i = 0; i < kHandlers; ++i) {
      if (!threads_[kTopics + i].is_blocked_on(topics_[i % kTopics].mutex)) return false;
    }
    for (std::size_t i = 0; i < kForwarders; ++i) {
      if (!threads_[kTopics + kHandlers + i].is_in(SYS_recvfrom)) return false;
    }
    return queries_wait();
  }

  std::size_t join() {
    for (samples::Actor& thread : threads_) thread.join();
    return forwarded_;
  }

 private:
  template <typename Part>
  void start(const char* layer, Part part) {
    names_.push_back(layer + ("-" + std::to_string(names_.size() + 1)));
    threads_.emplace_back(names_.back().c_str(), part);
  }

  Broker& broker_;
  Connections connections_;
  std::array<Topic, kTopics> topics_;
  std::atomic<std::size_t> forwarded_{0};
  std::deque<std::string> names_;
  std::deque<samples::Actor> threads_;
};

[[noreturn]] void run_stuck(const samples::Arguments& arguments, int fd) {
  Broker broker(fd);
  samples::Actor loop("raft-append", [&] {
    for (;;) broker.appendAndSync();
  });
  if (!samples::wait_until([&] { return broker.last_index() > 0 && loop.is_in(SYS_write); })) {
    samples::not_as_claimed("the disk does not stall");
  }
  Crowd crowd(broker);
  crowd.start_queries();
  if (!samples::wait_until([&] { return crowd.queries_wait(); })) {
    samples::not_as_claimed("the queries do not wait");
  }
  crowd.start_handlers();
  crowd.start_forwarders();
  samples::stay_stuck_when(arguments, [&] { return crowd.all_wait(); }, {&loop});
}

int run_healthy(int fd) {
  Broker broker(fd);
  samples::Actor disk("disk", [fd] {
    std::array<char, kEntry> entry;
    for (std::size_t left = kEntries * kEntry; left > 0;) {
      const ssize_t got = read(fd, entry.data(), entry.size());
      if (got <= 0) samples::give_up("read");
      left -= static_cast<std::size_t>(got);
    }
  });
  samples::Actor loop("raft-append", [&] {
    for (int i = 0; i < kEntries; ++i) broker.appendAndSync();
  });
  Crowd crowd(broker);
  crowd.start_queries();
  crowd.start_handlers();
  crowd.start_forwarders();
  const bool all_answered = crowd.join() == kForwarders;
  loop.join();
  disk.join();
  return all_answered && broker.last_index() == kEntries ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  samples::Arguments arguments(argc, argv, "[--log PATH] [--healthy]");
  const char* const log = arguments.word("--log", nullptr);
  const bool healthy = arguments.flag("--healthy");
  arguments.no_more();
  const int fd = log != nullptr ? open_fifo(log) : open_nameless_fifo();
  if (!healthy) run_stuck(arguments, fd);
  const int status = run_healthy(fd);
  if (log != nullptr) unlink(log);
  return status;
}
