// From what the ledger knows of waits and of who ended them, and a verdict about a group, to a
// report; its fingerprint.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <optional>

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

// Two threads; the second one has just broken a rule of a lock of the first.
Snapshot two_threads() {
  Snapshot snapshot = queue_of(2);
  for (ThreadFact& thread : snapshot.threads) {
    thread.wait.reset();
    thread.signals.clear();
  }
  return snapshot;
}

std::unique_ptr<Incident> incident_of(MisuseKind kind) {
  auto incident = std::make_unique<Incident>();
  incident->kind = static_cast<std::uint32_t>(kind);
  incident->lock_kind = static_cast<std::uint32_t>(LockKind::kMutex);
  incident->tid = 71;
  incident->other = kind == MisuseKind::kUnlockByOther ? 70 : 0;
  incident->lock = kMutex;
  incident->site = kProgram + 0x300;
  incident->when_ns = kNow - 50'000'000;
  incident->held_site = kProgram + 0x400;
  incident->held_stamp = 49'990;
  return incident;
}

report::Report report_of(const Snapshot& snapshot, const Incident& incident) {
  const auto modules = program_at(kProgram);
  ReportBuilder builder(snapshot, nothing_special, modules);
  builder.add_threads();
  builder.add_incident(incident);
  builder.add_modules();
  report::Report report = std::move(builder.report());
  report.moment.monotonic_ns = kNow;
  report.finding.fingerprint = fingerprint(report, modules);
  return report;
}

TEST(IncidentReport, NobodyWaitsBecauseOfIt) {
  for (const auto kind : {MisuseKind::kUnlockByOther, MisuseKind::kUnlockOfFree,
                          MisuseKind::kDestroyWhileHeld, MisuseKind::kRefusedRelock}) {
    const report::Report report = report_of(two_threads(), *incident_of(kind));
    ASSERT_EQ(report.finding.root, 1u);
    EXPECT_FALSE(report.threads[1].wait);
    EXPECT_TRUE(report.finding.crowd.empty());
    EXPECT_EQ(report.finding.call.pc, kProgram + 0x300);
    EXPECT_EQ(report.finding.cycle.size(), kind == MisuseKind::kRefusedRelock ? 1u : 0u);
    EXPECT_EQ(report.threads[0].involved, kind == MisuseKind::kUnlockByOther);
    const std::uint32_t holder = kind == MisuseKind::kUnlockByOther ? 0 : 1;
    EXPECT_EQ(report.threads[holder].holds.size(), 1u);
    const std::string text = report::report_text(report, {});
    for (const char* words : {"WAITS FOR", "began to wait", "wants ", "asked at"}) {
      EXPECT_EQ(text.find(words), std::string::npos) << words << " in\n" << text;
    }
  }
}

// What it waits for by now is another matter, and is told as it is.
TEST(IncidentReport, ALaterWaitStays) {
  Snapshot snapshot = two_threads();
  snapshot.threads[1].wait = queue_of(2).threads[1].wait;
  const report::Report report = report_of(snapshot, *incident_of(MisuseKind::kUnlockByOther));
  ASSERT_TRUE(report.threads[1].wait);
  EXPECT_EQ(report.threads[1].wait->kind, WaitKind::kCondition);
  EXPECT_EQ(report.finding.fingerprint,
            report_of(two_threads(), *incident_of(MisuseKind::kUnlockByOther)).finding.fingerprint);
}

TEST(IncidentFingerprint, IsOfTheCall) {
  const auto other = incident_of(MisuseKind::kUnlockByOther);
  const std::string print = report_of(two_threads(), *other).finding.fingerprint;
  other->site += 8;
  EXPECT_NE(print, report_of(two_threads(), *other).finding.fingerprint);
  const auto refused = incident_of(MisuseKind::kRefusedRelock);
  const std::string refusal = report_of(two_threads(), *refused).finding.fingerprint;
  refused->site += 8;
  EXPECT_NE(refusal, report_of(two_threads(), *refused).finding.fingerprint);
}

// ---- libc's own word

constexpr std::uint64_t kOwner = 70;

// What an address says that is no lock any more, or one that was never asked about.
LockState anything(std::uint64_t, LockKind) {
  LockState state;
  state.readable = true;
  state.robust = true;
  state.owner = 3'010'642'783;
  return state;
}

LockState owned(std::uint64_t, LockKind) {
  LockState state;
  state.readable = true;
  state.robust = true;
  state.owner = kOwner;
  return state;
}

// Its holder broke a rule with a lock at `lock`, which only `holder` still uses.
report::Lock misused(std::uint64_t lock, LockProbe probe, std::optional<HoldFact> held) {
  Snapshot snapshot = queue_of(1);
  snapshot.threads[0].wait.reset();
  if (held) snapshot.threads[0].holds.push_back(*held);
  const auto modules = program_at(kProgram);
  ReportBuilder builder(snapshot, probe, modules);
  builder.add_threads();
  Incident incident;
  incident.kind = static_cast<decltype(incident.kind)>(MisuseKind::kUnlockOfFree);
  incident.lock_kind = static_cast<decltype(incident.lock_kind)>(LockKind::kMutex);
  incident.lock = lock;
  incident.tid = kOwner;
  builder.add_incident(incident);
  return builder.report().locks.at(builder.report().finding.root_lock);
}

HoldFact hold_of(std::uint64_t lock) {
  HoldFact hold;
  hold.lock = lock;
  hold.site = kProgram + 0x300;
  return hold;
}

TEST(LibcsWord, OfADeadLockIsNotAskedFor) {
  for (const LockProbe probe : {&anything, &owned}) {
    const report::Lock lock = misused(kMutex, probe, std::nullopt);
    EXPECT_EQ(lock.owner_word, 0u);
    EXPECT_EQ(lock.variety, "");
  }
}

TEST(LibcsWord, OfALockInUse) {
  const report::Lock lock = misused(kMutex, owned, hold_of(kMutex));
  EXPECT_EQ(lock.owner_word, kOwner);
  EXPECT_EQ(lock.variety, "robust");
}

TEST(LibcsWord, OfAGlobalLock) {
  EXPECT_EQ(misused(kProgram + 0x800, owned, std::nullopt).owner_word, kOwner);
}

TEST(LibcsWord, AnOwnerIsAThreadOfTheProcess) {
  const report::Lock lock = misused(kMutex, anything, hold_of(kMutex));
  EXPECT_EQ(lock.owner_word, 0u);
  EXPECT_EQ(lock.variety, "robust");
}

}  // namespace
}  // namespace impasse::witness
