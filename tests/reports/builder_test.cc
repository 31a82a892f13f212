// From what the ledger knows of waits and of who ended them, and a verdict about a group, to a
// report; its fingerprint.
#include <gtest/gtest.h>

#include <cstdio>

#include "detector/findings.h"
#include "report/report_text.h"
#include "witness/fingerprint.h"
#include "witness/report_builder.h"

namespace impasse::witness {
namespace {

constexpr std::uint64_t kCondition = 0x1000;
constexpr std::uint64_t kMutex = 0x2000;
constexpr std::uint64_t kProgram = 0x400000;
constexpr std::uint64_t kNow = 900'000'000'000;

LockState nothing_special(std::uint64_t, LockKind) {
  LockState state;
  state.readable = true;
  return state;
}

symbolize::Modules program_at(std::uint64_t base) {
  char line[120];
  std::snprintf(line, sizeof line, "%llx-%llx r-xp 00000000 08:01 17   /opt/program\n",
                static_cast<unsigned long long>(base),
                static_cast<unsigned long long>(base + 0x10000));
  return symbolize::Modules::from_maps(line);
}

// So many threads wait for a condition that only they signalled.
Snapshot queue_of(std::uint32_t threads, std::uint64_t base = kProgram) {
  Snapshot snapshot;
  snapshot.tick = 50'000;
  snapshot.tick_ns = 10'000'000;
  snapshot.now_ns = kNow;
  for (std::uint32_t i = 0; i < threads; ++i) {
    ThreadFact thread;
    thread.tid = 70 + i;
    thread.number = 1 + i;
    thread.name = "w" + std::to_string(i);
    WaitFact wait;
    wait.kind = WaitKind::kCondition;
    wait.object = kCondition;
    wait.partner = kMutex;
    wait.site = base + 0x100;
    wait.since_ns = kNow - 1'000'000'000;
    thread.wait = wait;
    SignalFact signal;
    signal.object = kCondition;
    signal.site = base + 0x200;
    signal.count = 5 + i;
    signal.tick = 49'000 - i;
    thread.signals.push_back(signal);
    snapshot.threads.push_back(std::move(thread));
  }
  return snapshot;
}

report::Report report_of(const Snapshot& snapshot, const symbolize::Modules& modules,
                         bool certain = false) {
  Verdict verdict;
  verdict.kind = FindingKind::kStuckCondition;
  verdict.certain = certain;
  verdict.root_lock = kCondition;
  for (std::uint32_t i = 0; i < snapshot.threads.size(); ++i) {
    if (snapshot.threads[i].wait) {
      verdict.crowd.push_back({i, 0, kCondition, LinkReason::kSignaller});
    }
  }
  Telling telling;
  telling.verdict = &verdict;
  ReportBuilder builder(snapshot, nothing_special, modules);
  builder.add_threads();
  builder.add_finding(telling, {});
  builder.add_modules();
  report::Report report = std::move(builder.report());
  report.moment.monotonic_ns = kNow;
  return report;
}

TEST(StuckReport, HasEveryWaitAndEverySignaller) {
  const auto modules = program_at(kProgram);
  const report::Report report = report_of(queue_of(3), modules);
  ASSERT_EQ(report.locks.size(), 2u);
  const std::uint32_t condition = report.finding.root_lock;
  ASSERT_LT(condition, report.locks.size());
  EXPECT_EQ(report.locks[condition].kind, LockKind::kCondition);
  EXPECT_EQ(report.locks[condition].address, kCondition);
  EXPECT_FALSE(report.finding.certain);
  ASSERT_EQ(report.finding.crowd.size(), 3u);
  for (const report::Link& link : report.finding.crowd) {
    EXPECT_EQ(link.lock, condition);
    EXPECT_EQ(link.reason, LinkReason::kSignaller);
    const report::Wait& wait = *report.threads[link.waiter].wait;
    EXPECT_EQ(wait.lock, condition);
    EXPECT_EQ(report.locks[wait.mutex].address, kMutex);
    EXPECT_TRUE(report.threads[link.waiter].involved);
  }
  const auto& signallers = report.locks[condition].signallers;
  ASSERT_EQ(signallers.size(), 3u);
  EXPECT_EQ(signallers[0].tid, 70u);  // the newest first
  EXPECT_EQ(signallers[2].tid, 72u);
  EXPECT_EQ(signallers[2].count, 7u);
  EXPECT_EQ(signallers[2].name, "w2");
  EXPECT_EQ(signallers[0].last_ns, kNow - 10'000'000'000);
  EXPECT_EQ(signallers[0].site.pc, kProgram + 0x200);
  EXPECT_TRUE(report.locks[report.threads[0].wait->mutex].signallers.empty());
  EXPECT_FALSE(report.locks[condition].signallers_ended);
  const std::string line = report::report_line(report);
  EXPECT_NE(line.find("(likely)"), std::string::npos) << line;
  EXPECT_NE(line.find("nobody else has ever signalled it"), std::string::npos) << line;
}

TEST(StuckReport, SaysThatSignallersHaveEnded) {
  const auto modules = program_at(kProgram);
  Snapshot snapshot = queue_of(2);
  LockFact fact;
  fact.address = kCondition;
  fact.kind = LockKind::kCondition;
  fact.gone_signallers_maker = 2;
  snapshot.locks.push_back(fact);
  const report::Report one = report_of(snapshot, modules);
  EXPECT_TRUE(one.locks[one.finding.root_lock].signallers_ended);
  EXPECT_EQ(one.locks[one.finding.root_lock].signallers_maker, 1u);
  snapshot.locks[0].gone_signallers_maker = kSeveralMakers;
  const report::Report several = report_of(snapshot, modules);
  EXPECT_TRUE(several.locks[several.finding.root_lock].signallers_ended);
  EXPECT_EQ(several.locks[several.finding.root_lock].signallers_maker, report::kNobody);
}

TEST(StuckReport, SignallersAreBounded) {
  const auto modules = program_at(kProgram);
  const report::Report report = report_of(queue_of(2'000), modules);
  EXPECT_EQ(report.locks[report.finding.root_lock].signallers.size(), 512u);
  ASSERT_EQ(report.notes.size(), 1u);
  EXPECT_NE(report.notes[0].find("2000"), std::string::npos);
}

std::string print_of(const Snapshot& snapshot, std::uint64_t base = kProgram) {
  const auto modules = program_at(base);
  return fingerprint(report_of(snapshot, modules), modules);
}

TEST(StuckFingerprint, IsOfPlacesAlone) {
  const std::string print = print_of(queue_of(3));
  EXPECT_EQ(print, print_of(queue_of(8)));
  EXPECT_EQ(print, print_of(queue_of(3, 0x7f0000), 0x7f0000));
  Snapshot other = queue_of(3);
  other.threads[1].wait->site += 8;
  EXPECT_NE(print, print_of(other));
  other = queue_of(3);
  for (ThreadFact& thread : other.threads) thread.signals[0].site += 8;
  EXPECT_NE(print, print_of(other));
  other = queue_of(3);
  for (ThreadFact& thread : other.threads) thread.wait->kind = WaitKind::kSemaphore;
  EXPECT_NE(print, print_of(other));
  other = queue_of(3);
  for (ThreadFact& thread : other.threads) thread.signals[0].count = 77;
  EXPECT_EQ(print, print_of(other));
}

}  // namespace
}  // namespace impasse::witness
