// A full queue that nobody can drain.
//
// Streams that are to be looked at stand in a bounded queue of 2,048. Workers take them out; when
// the node that has a stream does not answer, a worker puts the stream back, and waits for room
// where there is none. All is well until many fail at once: then the queue is full, every worker
// waits for room in it, and only workers make room. close() puts back what is still to be done in
// the same way, and never returns.
//
// Prints "stuck: TID …", the workers, and stays so.
//   --close      the main thread calls close(): then nobody in the process is awake, and it takes a
//                signal of a timer to end it after --for SECONDS
//   --repaired   a worker keeps for later what failed, and waits for no room: ends with 0
//   --idle MS    no stream fails; the queue is empty, the workers wait, the intake waits for the
//                network: ends with 0 after that time
#include <poll.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "sample.h"
#include "silent_peer.h"

constexpr std::size_t kQueue = 2'048;
constexpr std::size_t kWorkers = 6;
constexpr int kFirstStreams = 2 * kQueue;
constexpr int kAllStreams = 8 * kQueue;

struct Stream {
  int id = 0;
};

class StreamQueue {
 public:
  [[gnu::noinline]] void send(Stream stream) {
    std::unique_lock lock(mutex_);
    not_full_.wait(lock, [this] { return streams_.size() < kQueue; });
    streams_.push_back(stream);
    not_empty_.notify_one();
  }

  // Nothing: the queue is empty and closed.
  [[gnu::noinline]] std::optional<Stream> receive() {
    std::unique_lock lock(mutex_);
    not_empty_.wait(lock, [this] { return !streams_.empty() || closed_; });
    if (streams_.empty()) return std::nullopt;
    const Stream stream = streams_.front();
    streams_.pop_front();
    not_full_.notify_one();
    return stream;
  }

  void no_more() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    not_empty_.notify_all();
  }

  const std::condition_variable& room() const { return not_full_; }
  const std::condition_variable& work() const { return not_empty_; }

 private:
  std::mutex mutex_;
  std::condition_variable not_full_;
  std::condition_variable not_empty_;
  std::deque<Stream> streams_;
  bool closed_ = false;
};

class StreamTracker {
 public:
  explicit StreamTracker(bool repaired) : repaired_(repaired) {}

  [[gnu::noinline]] void runWorker() {
    std::vector<Stream> kept;
    while (const std::optional<Stream> stream = nextStream(kept)) {
      if (trackStream(*stream)) {
        ++tracked_;
      } else {
        putBack(*stream, kept);
      }
    }
  }

  [[gnu::noinline]] void runIntake(int from, int to) {
    for (int id = from; id < to; ++id) queue_.send({id});
  }

  // What is still to be done must not be lost.
  [[gnu::noinline]] void close() {
    for (int id = 0; !is_drained(); ++id) queue_.send({id});
    queue_.no_more();
  }

  void node_answers(bool answers) { node_answers_ = answers; }
  void no_more() { queue_.no_more(); }
  int tracked() const { return tracked_; }
  const StreamQueue& queue() const { return queue_; }

 private:
  [[gnu::noinline]] bool trackStream(Stream) const { return node_answers_; }

  [[gnu::noinline]] void putBack(Stream stream, std::vector<Stream>& kept) {
    if (repaired_) {
      kept.push_back(stream);
    } else {
      queue_.send(stream);
    }
  }

  std::optional<Stream> nextStream(std::vector<Stream>& kept) {
    std::optional<Stream> stream = queue_.receive();
    if (!stream && !kept.empty()) {
      stream = kept.back();
      kept.pop_back();
    }
    return stream;
  }

  bool is_drained() const { return tracked_ == kAllStreams; }

  const bool repaired_;
  StreamQueue queue_;
  std::atomic<bool> node_answers_{true};
  std::atomic<int> tracked_{0};
};

namespace {

class Workers {
 public:
  explicit Workers(StreamTracker& tracker) : tracker_(tracker) {
    for (std::size_t i = 0; i < kWorkers; ++i) {
      names_[i] = "worker-" + std::to_string(i + 1);
      threads_.emplace_back(names_[i].c_str(), [&tracker] { tracker.runWorker(); });
    }
  }
  bool all_wait_on(const std::condition_variable& condition) const {
    for (const samples::Actor& worker : threads_) {
      if (!worker.is_blocked_on(condition)) return false;
    }
    return true;
  }
  void announce() const {
    samples::announce(
        {&threads_[0], &threads_[1], &threads_[2], &threads_[3], &threads_[4], &threads_[5]});
  }
  void join() {
    for (samples::Actor& worker : threads_) worker.join();
  }

 private:
  static_assert(kWorkers == 6);
  StreamTracker& tracker_;
  std::array<std::string, kWorkers> names_;
  std::deque<samples::Actor> threads_;
};

// Waits until the first streams have gone through it: there was room, and there was not.
void go_well(const StreamTracker& tracker) {
  if (!samples::wait_until([&] { return tracker.tracked() == kFirstStreams; }))
    samples::not_as_claimed("it does not go well at first");
}

// Nobody is awake to count the seconds of --for, and a timer could do something for those that
// sleep. Another process counts; without one no handler is there either.
void end_from_outside(int seconds) {
  std::signal(SIGTERM, [](int) { std::_Exit(0); });
  const pid_t parent = getpid();
  if (fork() != 0) return;
  samples::end_with_parent();
  timespec left{seconds, 0};
  while (nanosleep(&left, &left) != 0) {
  }
  if (getppid() == parent) kill(parent, SIGTERM);
  _exit(0);
}

[[noreturn]] void run_stuck(const samples::Arguments& arguments, bool closing) {
  StreamTracker tracker(false);
  samples::Actor first("intake", [&] { tracker.runIntake(0, kFirstStreams); });
  if (!samples::wait_until([&] { return first.is_blocked_on(tracker.queue().room()); }))
    samples::not_as_claimed("the queue does not fill");
  Workers workers(tracker);
  go_well(tracker);
  first.join();
  tracker.node_answers(false);
  samples::Actor second("intake", [&] { tracker.runIntake(kFirstStreams, kAllStreams); });
  const auto stuck = [&] {
    return workers.all_wait_on(tracker.queue().room()) &&
           second.is_blocked_on(tracker.queue().room());
  };
  if (!samples::wait_until(stuck)) samples::not_as_claimed("it does not get stuck");
  workers.announce();
  if (closing) {
    if (arguments.seconds() != 0) end_from_outside(arguments.seconds());
    tracker.close();
  }
  samples::sleep_until_the_end(arguments);
}

int run_repaired() {
  StreamTracker tracker(true);
  samples::Actor first("intake", [&] { tracker.runIntake(0, kFirstStreams); });
  Workers workers(tracker);
  go_well(tracker);
  first.join();
  tracker.node_answers(false);
  samples::Actor second("intake", [&] { tracker.runIntake(kFirstStreams, kAllStreams); });
  second.join();
  if (!samples::wait_until([&] { return workers.all_wait_on(tracker.queue().work()); })) return 1;
  tracker.node_answers(true);
  tracker.no_more();
  workers.join();
  return tracker.tracked() == kAllStreams ? 0 : 1;
}

// An hour without anything to do, in short.
int run_idle(int ms) {
  StreamTracker tracker(false);
  const samples::LoopbackListener network;
  samples::Actor intake("intake", [&] {
    tracker.runIntake(0, kFirstStreams);
    pollfd connection{network.fd(), POLLIN, 0};
    if (poll(&connection, 1, ms) != 0) samples::give_up("poll");
    tracker.no_more();
  });
  Workers workers(tracker);
  intake.join();
  workers.join();
  return tracker.tracked() == kFirstStreams ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  samples::Arguments arguments(argc, argv, "[--close | --repaired | --idle MS]");
  const bool closing = arguments.flag("--close");
  const bool repaired = arguments.flag("--repaired");
  const int idle_ms = arguments.number("--idle", 0);
  arguments.no_more();
  if (repaired) return run_repaired();
  if (idle_ms != 0) return run_idle(idle_ms);
  run_stuck(arguments, closing);
}
