// Two locks, two orders.
//
// One thread moves money (accounts_mutex, then audit_mutex), the other writes the audit
// (audit_mutex, then accounts_mutex). Each takes its first lock, they meet, then each asks for the
// other's: a deadlock in every run.
//
// Prints "stuck: TID TID", the threads "transfer" and "auditor", once both are blocked, and stays
// so.
//   --repaired    both take the locks in the same order: ends with 0
#include <unistd.h>

#include <array>
#include <atomic>
#include <barrier>
#include <cstdio>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <thread>

#include "blocked_thread.h"

std::mutex accounts_mutex;
std::mutex audit_mutex;

constexpr int kRepairedRounds = 1000;

// Written under both locks only.
long balance = 0;
long audited = 0;

[[gnu::noinline]] void transfer_money(std::barrier<>& both_hold_one) {
  std::lock_guard accounts(accounts_mutex);
  both_hold_one.arrive_and_wait();
  std::lock_guard audit(audit_mutex);
  ++balance;
}

[[gnu::noinline]] void write_audit(std::barrier<>& both_hold_one) {
  std::lock_guard audit(audit_mutex);
  both_hold_one.arrive_and_wait();
  std::lock_guard accounts(accounts_mutex);
  ++audited;
}

[[gnu::noinline]] void transfer_money_in_order() {
  std::lock_guard accounts(accounts_mutex);
  std::lock_guard audit(audit_mutex);
  ++balance;
}

[[gnu::noinline]] void write_audit_in_order() {
  std::lock_guard accounts(accounts_mutex);
  std::lock_guard audit(audit_mutex);
  ++audited;
}

namespace {

int run_stuck() {
  std::barrier<> both_hold_one(2);
  std::array<std::atomic<pid_t>, 2> tids{};
  std::thread transfer([&] {
    pthread_setname_np(pthread_self(), "transfer");
    tids[0] = gettid();
    transfer_money(both_hold_one);
  });
  std::thread auditor([&] {
    pthread_setname_np(pthread_self(), "auditor");
    tids[1] = gettid();
    write_audit(both_hold_one);
  });
  const bool stuck = samples::wait_until([&] {
    return samples::is_blocked_on(tids[0], &audit_mutex, sizeof audit_mutex) &&
           samples::is_blocked_on(tids[1], &accounts_mutex, sizeof accounts_mutex);
  });
  if (!stuck) {
    std::fputs("the threads do not block on each other's mutex\n", stderr);
    std::_Exit(3);
  }
  std::printf("stuck: %d %d\n", tids[0].load(), tids[1].load());
  std::fflush(stdout);
  transfer.join();
  auditor.join();
  return 1;
}

int run_repaired() {
  std::barrier<> start(2);
  std::thread transfer([&] {
    pthread_setname_np(pthread_self(), "transfer");
    start.arrive_and_wait();
    for (int round = 0; round < kRepairedRounds; ++round) transfer_money_in_order();
  });
  std::thread auditor([&] {
    pthread_setname_np(pthread_self(), "auditor");
    start.arrive_and_wait();
    for (int round = 0; round < kRepairedRounds; ++round) write_audit_in_order();
  });
  transfer.join();
  auditor.join();
  return balance == kRepairedRounds && audited == kRepairedRounds ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 1) return run_stuck();
  if (argc == 2 && std::string_view(argv[1]) == "--repaired") return run_repaired();
  std::fprintf(stderr, "usage: %s [--repaired]\n", argv[0]);
  return 2;
}
