// Monitor against message loop.
//
// The message loop takes raft_node, then heartbeats. The timeout monitor takes heartbeats and, when
// a timeout has fired, starts an election, which takes raft_node. All is well until the first
// timeout fires; from then on it is a matter of milliseconds.
//
// Prints "stuck: TID TID", the threads "raft-loop" and "raft-monitor", and stays so.
//   --timeout MS   the leader falls silent after that (300)
//   --repaired     the monitor posts to a queue, a worker takes raft_node: ends with 0
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>

#include "sample.h"

using Clock = std::chrono::steady_clock;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr int kElections = 20;  // of the repaired program

class RaftNode {
 public:
  [[gnu::noinline]] void handleMessage() {
    std::lock_guard node(raft_node_);
    ++applied_;
    appendToLog();
    recordHeartbeat();
  }

  [[gnu::noinline]] void recordHeartbeat() {
    std::lock_guard beats(heartbeats_);
    if (Clock::now() < silent_from_) last_heartbeat_ = Clock::now();
  }

  [[gnu::noinline]] void checkTimeouts() {
    std::lock_guard beats(heartbeats_);
    if (!timed_out()) return;
    last_heartbeat_ = Clock::now();
    startElection();
  }

  [[gnu::noinline]] void startElection() {
    std::lock_guard node(raft_node_);
    ++term_;
  }

  [[gnu::noinline]] bool checkTimeoutsAndPost() {
    std::lock_guard beats(heartbeats_);
    if (!timed_out()) return false;
    last_heartbeat_ = Clock::now();
    return true;
  }

  void leader_falls_silent_after(milliseconds time) {
    last_heartbeat_ = Clock::now();
    silent_from_ = Clock::now() + time;
  }

  int term() {
    std::lock_guard node(raft_node_);
    return term_;
  }

  bool are_both_taken(const samples::Actor& loop, const samples::Actor& monitor) const {
    return loop.is_blocked_on(heartbeats_) && monitor.is_blocked_on(raft_node_);
  }

 private:
  static constexpr milliseconds kElectionTimeout{20};

  bool timed_out() const { return Clock::now() - last_heartbeat_ > kElectionTimeout; }

  // What it costs to write an entry.
  static void appendToLog() { std::this_thread::sleep_for(microseconds(500)); }

  std::mutex raft_node_;
  long applied_ = 0;
  int term_ = 0;

  std::mutex heartbeats_;
  Clock::time_point last_heartbeat_;
  Clock::time_point silent_from_;
};

// What has to be done with raft_node, by somebody who holds nothing.
class Elections {
 public:
  void post() {
    std::lock_guard lock(mutex_);
    ++posted_;
    more_.notify_one();
  }

  void end() {
    std::lock_guard lock(mutex_);
    ended_ = true;
    more_.notify_one();
  }

  // False: there will be none.
  bool wait_for_one() {
    std::unique_lock lock(mutex_);
    more_.wait(lock, [this] { return posted_ > 0 || ended_; });
    if (posted_ == 0) return false;
    --posted_;
    return true;
  }

 private:
  std::mutex mutex_;
  std::condition_variable more_;
  int posted_ = 0;
  bool ended_ = false;
};

[[gnu::noinline]] void runMessageLoop(RaftNode& node, const std::atomic<bool>& stop) {
  while (!stop) {
    node.handleMessage();
    std::this_thread::sleep_for(microseconds(100));
  }
}

[[gnu::noinline]] void runMonitor(RaftNode& node) {
  for (;;) {
    node.checkTimeouts();
    std::this_thread::sleep_for(milliseconds(1));
  }
}

namespace {

[[noreturn]] void run_stuck(const samples::Arguments& arguments, RaftNode& node) {
  const std::atomic<bool> never{false};
  samples::Actor loop("raft-loop", [&] { runMessageLoop(node, never); });
  samples::Actor monitor("raft-monitor", [&] { runMonitor(node); });
  samples::stay_stuck_when(arguments, [&] { return node.are_both_taken(loop, monitor); },
                           {&loop, &monitor});
}

int run_repaired(RaftNode& node) {
  std::atomic<bool> stop{false};
  Elections elections;
  samples::Actor loop("raft-loop", [&] { runMessageLoop(node, stop); });
  samples::Actor worker("raft-elections", [&] {
    while (elections.wait_for_one()) node.startElection();
  });
  samples::Actor monitor("raft-monitor", [&] {
    for (int posted = 0; posted < kElections;) {
      if (node.checkTimeoutsAndPost()) {
        elections.post();
        ++posted;
      }
      std::this_thread::sleep_for(milliseconds(1));
    }
  });
  monitor.join();
  elections.end();
  worker.join();
  stop = true;
  loop.join();
  return node.term() == kElections ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  samples::Arguments arguments(argc, argv, "[--timeout MS] [--repaired]");
  const bool repaired = arguments.flag("--repaired");
  const int timeout = arguments.number("--timeout", 300);
  arguments.no_more();
  RaftNode node;
  node.leader_falls_silent_after(milliseconds(timeout));
  if (repaired) return run_repaired(node);
  run_stuck(arguments, node);
}
