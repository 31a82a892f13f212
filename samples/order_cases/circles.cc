// Circles of mutexes, and what only looks like one.
#include <algorithm>
#include <array>
#include <deque>
#include <memory>

#include "order_cases/order_cases.h"

namespace order_cases {

std::mutex accounts_mutex;
std::mutex audit_mutex;

void abba(Stage&) {
  in_turn({{"transfer", [] { takeForward(accounts_mutex, audit_mutex); }},
           {"auditor", [] { takeBackward(audit_mutex, accounts_mutex); }}});
}

void abba_later_thread(Stage& stage) {
  Semaphore taken, curtain;
  samples::Actor transfer("transfer", [&] {
    takeForward(accounts_mutex, audit_mutex);
    taken.post();
    curtain.wait();
  });
  taken.wait();
  samples::Actor auditor("auditor", [] { takeBackward(audit_mutex, accounts_mutex); });
  auditor.join();
  stage.shown();
  curtain.post();
  transfer.join();
}

void main_against_thread(Stage& stage) {
  Semaphore taken, curtain;
  samples::Actor transfer("transfer", [&] {
    takeForward(accounts_mutex, audit_mutex);
    taken.post();
    curtain.wait();
  });
  taken.wait();
  takeBackward(audit_mutex, accounts_mutex);
  stage.shown();
  curtain.post();
  transfer.join();
}

void one_thread(Stage&) {
  in_turn({{"transfer", [] {
              takeForward(accounts_mutex, audit_mutex);
              takeBackward(audit_mutex, accounts_mutex);
            }}});
}

// ---- three locks

std::mutex north_mutex;
std::mutex east_mutex;
std::mutex south_mutex;

namespace {
int crossed = 0;

void take_all_three_orders() {
  takeForward(north_mutex, east_mutex);
  takeForward(east_mutex, south_mutex);
  takeForward(south_mutex, north_mutex);
}
}  // namespace

[[gnu::noinline]] void cross(std::mutex& here, std::mutex& ahead) {
  std::lock_guard one(here);
  std::lock_guard other(ahead);
  ++crossed;
}

void three_circle(Stage&) {
  in_turn({{"from-north", [] { cross(north_mutex, east_mutex); }},
           {"from-east", [] { cross(east_mutex, south_mutex); }},
           {"from-south", [] { cross(south_mutex, north_mutex); }}});
}

// A circle of three needs three threads, each in another place.
void rounds_by_three(Stage&) {
  in_turn({{"round-1", take_all_three_orders},
           {"round-2", take_all_three_orders},
           {"round-3", take_all_three_orders}});
}

void rounds_by_two(Stage&) {
  in_turn({{"round-1", take_all_three_orders}, {"round-2", take_all_three_orders}});
}

// ---- five locks

std::array<std::mutex, 5> forks;

[[gnu::noinline]] void dine(std::size_t seat) {
  std::lock_guard left(forks[seat]);
  std::lock_guard right(forks[(seat + 1) % forks.size()]);
  ++crossed;
}

void philosophers(Stage&) {
  in_turn({{"Platon", [] { dine(0); }},
           {"Sokrates", [] { dine(1); }},
           {"Kant", [] { dine(2); }},
           {"Hegel", [] { dine(3); }},
           {"Marx", [] { dine(4); }}});
}

// ---- many locks at a time

std::array<std::mutex, 80> ranks;
std::mutex rest_mutex;

[[gnu::noinline]] void takeAllRanksThenRest() {
  for (std::mutex& rank : ranks) rank.lock();
  {
    std::lock_guard rest(rest_mutex);
    ++taken_forward;
  }
  for (std::size_t i = ranks.size(); i-- > 0;) ranks[i].unlock();
}

void deep_holds(Stage&) {
  in_turn({{"climber", takeAllRanksThenRest},
           {"resting", [] { takeBackward(rest_mutex, ranks[75]); }}});
}

[[gnu::noinline]] void takeSomeRanksThenRest(std::mutex& last_rank) {
  constexpr std::size_t kSome = 64;
  for (std::size_t i = 0; i < kSome; ++i) ranks[i].lock();
  {
    std::lock_guard last(last_rank);
    std::lock_guard rest(rest_mutex);
    ++taken_forward;
  }
  for (std::size_t i = kSome; i-- > 0;) ranks[i].unlock();
}

void deep_changes(Stage&) {
  in_turn({{"climber",
            [] {
              takeSomeRanksThenRest(ranks[70]);
              takeSomeRanksThenRest(ranks[75]);
            }},
           {"resting", [] { takeBackward(rest_mutex, ranks[75]); }}});
}

// ---- locks on a stack that stays

void main_stack(Stage& stage) {
  std::mutex first;
  std::mutex second;
  in_turn({{"transfer", [&] { takeForward(first, second); }},
           {"auditor", [&] { takeBackward(second, first); }}});
  stage.shown();
}

// ---- released in another order than taken

[[gnu::noinline]] void takeAndStepOver(std::mutex& first, std::mutex& second, std::mutex& third) {
  std::unique_lock one(first);
  std::unique_lock other(second);
  one.unlock();
  std::lock_guard last(third);
  ++taken_forward;
}

void released_out_of_order(Stage&) {
  in_turn({{"stepper", [] { takeAndStepOver(north_mutex, east_mutex, south_mutex); }},
           {"return", [] { takeBackward(south_mutex, east_mutex); }}});
}

// North before east, east before south, south before north: but the first two by one thread.
void released_before(Stage&) {
  in_turn({{"stepper", [] { takeAndStepOver(north_mutex, east_mutex, south_mutex); }},
           {"return", [] { takeBackward(south_mutex, north_mutex); }}});
}

// ---- raft_monitor, before it hangs

std::mutex raft_node;
std::mutex heartbeats;

namespace {
long beats = 0;
long elections = 0;
}  // namespace

[[gnu::noinline]] void recordHeartbeat() {
  std::lock_guard lock(heartbeats);
  ++beats;
}

[[gnu::noinline]] void handleMessage() {
  std::lock_guard node(raft_node);
  recordHeartbeat();
  ++elections;
}

[[gnu::noinline]] void startElection() {
  std::lock_guard node(raft_node);
  ++elections;
}

[[gnu::noinline]] void checkTimeouts(bool timed_out) {
  std::lock_guard lock(heartbeats);
  if (timed_out) startElection();
  ++beats;
}

void raft_monitor(Stage&) {
  constexpr int kRounds = 200;
  in_turn({{"raft-loop",
            [] {
              for (int i = 0; i < kRounds; ++i) handleMessage();
            }},
           {"raft-monitor", [] {
              for (int i = 0; i < kRounds; ++i) checkTimeouts(false);
              checkTimeouts(true);
            }}});
}

// ---- the session server's three orders

std::mutex registry_mutex;
std::mutex session_mutex;
std::mutex handler_mutex;

namespace {
int sessions_opened = 0;
}

[[gnu::noinline]] void openSession() {
  std::lock_guard session(session_mutex);
  ++sessions_opened;
}

[[gnu::noinline]] void logIn() {
  std::lock_guard registry(registry_mutex);
  openSession();
  ++taken_forward;
}

[[gnu::noinline]] void deliver() {
  std::lock_guard session(session_mutex);
  std::lock_guard handler(handler_mutex);
  ++sessions_opened;
}

[[gnu::noinline]] void countSessions() {
  std::lock_guard registry(registry_mutex);
  --sessions_opened;
}

[[gnu::noinline]] void reloadHandler() {
  std::lock_guard handler(handler_mutex);
  countSessions();
  --taken_backward;
}

void session_inversion(Stage&) {
  in_turn({{"login", logIn}, {"delivery", deliver}, {"reload", reloadHandler}});
}

// ---- one order, whatever the number of threads and locks

namespace {

struct Node {
  std::mutex mutex;
  long value = 0;
  std::unique_ptr<Node> next;
};

[[gnu::noinline]] void addToAll(Node& head) {
  std::unique_lock lock(head.mutex);
  for (Node* at = &head; at->next != nullptr; at = at->next.get()) {
    std::unique_lock next(at->next->mutex);
    ++at->next->value;
    lock = std::move(next);
  }
}

void make_list(Node& head, int nodes) {
  for (int i = 0; i < nodes; ++i) {
    auto node = std::make_unique<Node>();
    node->next = std::move(head.next);
    head.next = std::move(node);
  }
}

}  // namespace

void hand_over_hand(Stage& stage) {
  Node first;
  Node second;
  make_list(first, 30);
  make_list(second, 30);
  const auto there = [&] {
    for (int round = 0; round < 20; ++round) {
      addToAll(first);
      addToAll(second);
    }
  };
  const auto back = [&] {
    for (int round = 0; round < 20; ++round) {
      addToAll(second);
      addToAll(first);
    }
  };
  together({{"walker-1", there}, {"walker-2", back}, {"walker-3", there}, {"walker-4", back}});
  stage.shown();
}

void by_address(Stage& stage) {
  constexpr std::size_t kAccounts = 8;
  std::array<std::mutex, kAccounts> accounts;
  const auto transfers = [&](std::size_t stride) {
    for (std::size_t i = 0; i < 500; ++i) {
      const std::size_t from = i * stride % kAccounts;
      const std::size_t to = (from + 1 + i % (kAccounts - 1)) % kAccounts;
      std::lock_guard lower(accounts[std::min(from, to)]);
      std::lock_guard higher(accounts[std::max(from, to)]);
    }
  };
  together({{"teller-1", [&] { transfers(1); }},
            {"teller-2", [&] { transfers(3); }},
            {"teller-3", [&] { transfers(5); }},
            {"teller-4", [&] { transfers(7); }}});
  stage.shown();
}

void thread_per_request(Stage&) {
  constexpr int kRequests = 200;
  constexpr std::size_t kAtATime = 4;
  std::deque<samples::Actor> requests;
  for (int i = 0; i < kRequests; ++i) {
    if (requests.size() == kAtATime) {
      requests.front().join();
      requests.pop_front();
    }
    requests.emplace_back("request", [] { takeForward(accounts_mutex, audit_mutex); });
  }
  for (samples::Actor& request : requests) request.join();
}

}  // namespace order_cases
