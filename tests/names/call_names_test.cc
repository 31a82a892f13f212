// Names for the last words: in time, or not at all; what the side thread is in never keeps the
// process from ending.
#include "witness/call_names.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <pthread.h>
#include <atomic>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "report/call_words.h"
#include "symbolize/modules.h"

namespace impasse::witness {
namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto kNoWait = 50ms;  // a wait would be ten times as long
constexpr auto kPatience = std::chrono::milliseconds(kCallNamesPatienceMs);

[[gnu::noinline]] std::uint64_t place_of_a_call() {
  return reinterpret_cast<std::uint64_t>(__builtin_return_address(0));
}

[[gnu::noinline]] std::uint64_t read_the_journal() {
  const std::uint64_t here = place_of_a_call();
  asm volatile("");
  return here;
}

report::Report one_call() {
  CallFact fact;
  fact.call = BlockingCall::k_read;
  fact.site = fact.held_site = read_the_journal();
  fact.count = 1;
  fact.sum_ns = fact.most_ns = 1'000'000'000;
  return report::worst_calls(std::vector{fact}, {});
}

report::Report with_program(report::Report report) {
  const std::uint64_t pc = report.calls[0].site.pc;
  report.modules.push_back({"/opt/program", pc & ~0xfffull, (pc & ~0xfffull) + 0x10000, "", false});
  return report;
}

bool is_named(const report::Report& report) {
  return report::worst_call_lines(report).find("read at read_the_journal") != std::string::npos ||
         report::worst_call_lines(report).find("::read_the_journal") != std::string::npos;
}

bool has_addresses(const report::Report& report) {
  const std::string lines = report::worst_call_lines(report);
  return lines.find("read at 0x") != std::string::npos ||
         lines.find("read at program+0x") != std::string::npos;
}

// As in a process: all signals blocked. It is never dismissed before its task has ended.
class AtWork {
 public:
  AtWork()
      : thread_([this] {
          sigset_t all;
          sigfillset(&all);
          pthread_sigmask(SIG_BLOCK, &all, nullptr);
          side.work();
        }) {
    while (!takes_tasks()) std::this_thread::yield();
  }
  ~AtWork() {
    side.dismiss();
    thread_.join();
  }
  SideThread side;

 private:
  struct Nothing final : SideTask {
    void run() override {}
  };
  bool takes_tasks() {
    static Nothing nothing;
    if (!side.give(nothing)) return false;
    while (!side.idle()) std::this_thread::yield();
    return true;
  }
  std::thread thread_;
};

template <typename Body>
auto time_of(Body body) {
  const auto start = Clock::now();
  body();
  return Clock::now() - start;
}

// On a busy machine they may come too late, and are given up.
TEST(CallNames, AreLookedUp) {
  report::Report named;
  for (int attempts = 0; attempts < 20 && !is_named(named); ++attempts) {
    AtWork at_work;
    named = with_names(at_work.side, one_call());
  }
  EXPECT_TRUE(is_named(named)) << report::worst_call_lines(named);
}

TEST(CallNames, NothingToNameIsNoWork) {
  AtWork at_work;
  static std::atomic<int> asked{0};
  const auto count = [](report::Report&) { ++asked; };
  EXPECT_LT(time_of([&] { with_names(at_work.side, {}, count); }), kNoWait);
  EXPECT_EQ(asked, 0);
}

// A report of the same calls was named before: nobody is asked, not even where there is no name.
TEST(CallNames, OfAReportAreKept) {
  report::Report earlier = with_program(one_call());
  name_report(earlier);
  ASSERT_TRUE(is_named(earlier));
  keep_call_names(earlier);
  SideThread nobody;
  const report::Report named = with_names(nobody, with_program(one_call()));
  EXPECT_TRUE(is_named(named)) << report::worst_call_lines(named);
  // They were taken; and a child has its parent's not.
  EXPECT_TRUE(has_addresses(with_names(nobody, with_program(one_call()))));
  keep_call_names(earlier);
  const pid_t child = fork();
  if (child == 0) _exit(has_addresses(with_names(nobody, with_program(one_call()))) ? 7 : 8);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 7);
  with_names(nobody, with_program(one_call()));
}

// It hangs in the loader, say, before it comes to work.
TEST(CallNames, AreNotWaitedForWithoutASideThread) {
  SideThread nobody;
  report::Report report;
  EXPECT_LT(time_of([&] { report = with_names(nobody, one_call()); }), kNoWait);
  EXPECT_TRUE(has_addresses(report)) << report::worst_call_lines(report);
}

TEST(CallNames, AreNotWaitedForWhileTheSideThreadIsBusy) {
  static std::atomic<bool> go_on{false};
  struct Long final : SideTask {
    void run() override {
      while (!go_on) std::this_thread::sleep_for(1ms);
    }
  };
  Long task;
  AtWork at_work;
  ASSERT_TRUE(at_work.side.give(task));
  report::Report report;
  EXPECT_LT(time_of([&] { report = with_names(at_work.side, one_call()); }), kNoWait);
  EXPECT_TRUE(has_addresses(report));
  go_on = true;
}

TEST(CallNames, AreGivenUpWhenTheyComeLate) {
  static std::atomic<bool> go_on{false};
  AtWork at_work;
  const auto late = [](report::Report& report) {
    while (!go_on) std::this_thread::sleep_for(1ms);
    name_report(report);
  };
  report::Report report;
  const auto passed = time_of([&] { report = with_names(at_work.side, one_call(), late); });
  EXPECT_GE(passed, kPatience);
  EXPECT_LT(passed, 4 * kPatience);  // each step of it takes a little longer than it should
  EXPECT_TRUE(has_addresses(report));
  go_on = true;
}

// Damaged debug information: the process ends as soon, and nobody gives that thread more to do.
TEST(CallNames, ACrashIsNoWait) {
  AtWork at_work;
  const auto crash = [](report::Report&) {
    volatile int* volatile nowhere = nullptr;
    *nowhere = 1;
  };
  report::Report report;
  EXPECT_LT(time_of([&] { report = with_names(at_work.side, one_call(), crash); }), kPatience);
  EXPECT_TRUE(has_addresses(report));
  EXPECT_TRUE(at_work.side.lost());
}

}  // namespace
}  // namespace impasse::witness
