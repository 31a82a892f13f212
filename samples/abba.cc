// Two locks, two orders.
//
// One thread moves money (accounts_mutex, then audit_mutex), the other writes the audit
// (audit_mutex, then accounts_mutex). Each takes its first lock, they meet, then each asks for the
// other's: a deadlock in every run.
//
// Prints "stuck: TID TID", the threads "transfer" and "auditor", once both are blocked, and stays
// so.
//   --repaired    both take the locks in the same order: ends with 0
//   --stamp       prints "blocking: SECONDS", the time of day at which the later one asked
#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <cstdint>
#include <cstdio>
#include <mutex>

#include "sample.h"

std::mutex accounts_mutex;
std::mutex audit_mutex;

constexpr int kRepairedRounds = 1000;

// Written under both locks only.
long balance = 0;
long audited = 0;

using Stamp = std::atomic<std::int64_t>;

[[gnu::noinline]] void stamp_now(Stamp& stamp) {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  stamp = now.tv_sec * 1'000'000'000 + now.tv_nsec;
}

[[gnu::noinline]] void transfer_money(std::barrier<>& both_hold_one, Stamp& asked) {
  std::lock_guard accounts(accounts_mutex);
  both_hold_one.arrive_and_wait();
  stamp_now(asked);
  std::lock_guard audit(audit_mutex);
  ++balance;
}

[[gnu::noinline]] void write_audit(std::barrier<>& both_hold_one, Stamp& asked) {
  std::lock_guard audit(audit_mutex);
  both_hold_one.arrive_and_wait();
  stamp_now(asked);
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

[[noreturn]] void run_stuck(const samples::Arguments& arguments, bool stamps) {
  std::barrier<> both_hold_one(2);
  std::array<Stamp, 2> asked{};
  samples::Actor transfer("transfer", [&] { transfer_money(both_hold_one, asked[0]); });
  samples::Actor auditor("auditor", [&] { write_audit(both_hold_one, asked[1]); });
  const auto stuck = [&] {
    return transfer.is_blocked_on(audit_mutex) && auditor.is_blocked_on(accounts_mutex);
  };
  if (stamps) {
    if (!samples::wait_until(stuck)) samples::not_as_claimed("it does not get stuck");
    const std::int64_t formed = std::max(asked[0].load(), asked[1].load());
    std::printf("blocking: %.6f\n", static_cast<double>(formed) / 1e9);
    std::fflush(stdout);
  }
  samples::stay_stuck_when(arguments, stuck, {&transfer, &auditor});
}

int run_repaired() {
  std::barrier<> start(2);
  samples::Actor transfer("transfer", [&] {
    start.arrive_and_wait();
    for (int round = 0; round < kRepairedRounds; ++round) transfer_money_in_order();
  });
  samples::Actor auditor("auditor", [&] {
    start.arrive_and_wait();
    for (int round = 0; round < kRepairedRounds; ++round) write_audit_in_order();
  });
  transfer.join();
  auditor.join();
  return balance == kRepairedRounds && audited == kRepairedRounds ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  samples::Arguments arguments(argc, argv, "[--repaired] [--stamp]");
  const bool repaired = arguments.flag("--repaired");
  const bool stamps = arguments.flag("--stamp");
  arguments.no_more();
  if (repaired) return run_repaired();
  run_stuck(arguments, stamps);
}
