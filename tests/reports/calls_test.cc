// Calls made under locks: which of them a report has, and what is said of them at a process's end.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

#include "report/call_words.h"
#include "report/report_text.h"
#include "witness/report_builder.h"

namespace impasse::witness {
namespace {

constexpr std::uint64_t kJournal = 0x1000;
constexpr std::uint64_t kTable = 0x2000;
constexpr std::uint64_t kNowhere = 0x3000;  // that no thread holds or wants
constexpr std::uint64_t kProgram = 0x400000;
constexpr std::uint64_t kMillisecond = 1'000'000;

LockState nothing_special(std::uint64_t, LockKind) {
  LockState state;
  state.readable = true;
  return state;
}

symbolize::Modules program() {
  return symbolize::Modules::from_maps("400000-410000 r-xp 00000000 08:01 17   /opt/program\n");
}

CallFact call(std::uint64_t lock, std::uint64_t site, std::uint64_t sum_ms) {
  CallFact fact;
  fact.lock = lock;
  fact.call = BlockingCall::k_read;
  fact.site = kProgram + site;
  fact.held_site = kProgram + 0x800;
  fact.count = 4;
  fact.sum_ns = sum_ms * kMillisecond;
  fact.most_ns = sum_ms * kMillisecond / 2;
  fact.last_ns = 7;
  return fact;
}

// One thread holds the table and waits for the journal, which another one holds.
Snapshot two_locks() {
  Snapshot snapshot;
  for (std::uint32_t i = 0; i < 2; ++i) {
    ThreadFact& thread = snapshot.threads.emplace_back();
    thread.tid = 70 + i;
    thread.number = 1 + i;
    HoldFact& hold = thread.holds.emplace_back();
    hold.lock = i == 0 ? kTable : kJournal;
    hold.kind = LockKind::kMutex;
    hold.phase = hold_phase::kHeld;
  }
  WaitFact wait;
  wait.kind = WaitKind::kMutex;
  wait.object = kJournal;
  wait.site = kProgram + 0x100;
  snapshot.threads[0].wait = wait;
  return snapshot;
}

report::Report dump_with(const std::vector<CallFact>& calls) {
  const Snapshot snapshot = two_locks();
  const auto modules = program();
  ReportBuilder builder(snapshot, nothing_special, modules);
  builder.add_threads();
  builder.add_calls(calls);
  builder.add_modules();
  return std::move(builder.report());
}

TEST(CallsOfDump, AreThoseUnderItsLocks) {
  const report::Report report =
      dump_with({call(kNowhere, 0x10, 900), call(kTable, 0x20, 800), call(0, 0x30, 700),
                 call(kJournal, 0x40, 600), call(kTable, 0x50, 500)});
  std::vector<std::pair<std::uint64_t, std::uint64_t>> found;
  for (const report::CallTally& one : report.calls) {
    ASSERT_LT(one.lock, report.locks.size());
    found.emplace_back(report.locks[one.lock].address, one.site.pc - kProgram);
  }
  // Those of one lock stand together.
  const std::vector<std::pair<std::uint64_t, std::uint64_t>> expected = {
      {kTable, 0x20}, {kTable, 0x50}, {kJournal, 0x40}};
  EXPECT_EQ(found, expected);
  const std::string text = report::report_text(report, {});
  EXPECT_NE(text.find("CALLS UNDER THE LOCK\n  Made while mutex 0x2000 was held, and ended:\n"
                      "    read at program+0x20 (taken at program+0x800): 4 times, 800ms in all"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("  Made while mutex 0x1000 was held, and ended:\n"), std::string::npos);
}

TEST(CallsOfDump, HaveAnEndAndKeepTheLongest) {
  std::vector<CallFact> calls;
  for (std::uint64_t i = 0; i < 500; ++i) {
    calls.push_back(call(i % 2 == 0 ? kTable : kJournal, 0x10 + i, 1'000 - i));
  }
  const report::Report report = dump_with(calls);
  ASSERT_EQ(report.calls.size(), 32u);
  for (const report::CallTally& one : report.calls) EXPECT_LT(one.site.pc, kProgram + 0x10 + 32);
}

TEST(CallsOfDump, NoneIsNoSection) {
  const std::string text = report::report_text(dump_with({call(kNowhere, 0x10, 900)}), {});
  EXPECT_EQ(text.find("CALLS UNDER"), std::string::npos) << text;
}

// ---- the last words

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = text.find('\n', at);
    lines.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return lines;
}

void name(symbolize::Frame& frame, const char* function, std::uint32_t line) {
  frame.sources.assign(1, symbolize::Source{function, "/src/db.cc", line});
}

TEST(WorstCalls, HaveNamesWhereThereAreSome) {
  report::Report worst = report::worst_calls(std::vector{call(kJournal, 0x40, 600)}, program());
  ASSERT_EQ(worst.calls.size(), 1u);
  name(worst.calls[0].site, "fetch_row(int)", 88);
  name(worst.calls[0].held_site, "query()", 80);
  EXPECT_EQ(report::worst_call_lines(worst),
            "impasse: read at fetch_row db.cc:88 under a lock (taken at query db.cc:80): "
            "4 times, 600ms in all, 300ms at most\n");
  worst.locks[worst.calls[0].lock].name = "journal";
  EXPECT_EQ(report::worst_call_lines(worst),
            "impasse: read at fetch_row db.cc:88 under journal (taken at query db.cc:80): "
            "4 times, 600ms in all, 300ms at most\n");
}

// What a reader hands to addr2line: the byte before the return address.
TEST(WorstCalls, KeepAddressesWithoutNames) {
  report::Report worst = report::worst_calls(std::vector{call(kJournal, 0x40, 600)}, program());
  const char* const raw =
      "impasse: read at program+0x3f under a lock (taken at program+0x7ff): "
      "4 times, 600ms in all, 300ms at most\n";
  EXPECT_EQ(report::worst_call_lines(worst), raw);
  name(worst.calls[0].held_site, "query()", 80);
  EXPECT_NE(report::worst_call_lines(worst).find("read at program+0x3f under a lock (taken at "
                                                 "query db.cc:80)"),
            std::string::npos);
  CallFact nowhere = call(kJournal, 0x40, 600);
  nowhere.site = 0x99001;
  worst = report::worst_calls(std::vector{nowhere}, program());
  EXPECT_NE(report::worst_call_lines(worst).find("read at 0x99000 under"), std::string::npos);
}

// One place under many locks is one line, and none of them is the one.
TEST(WorstCalls, AddUpOverLocks) {
  report::Report worst = report::worst_calls(
      std::vector{call(kJournal, 0x40, 600), call(kTable, 0x40, 500), call(kTable, 0x50, 900)},
      program());
  ASSERT_EQ(worst.calls.size(), 2u);
  EXPECT_EQ(worst.calls[0].site.pc, kProgram + 0x40);
  EXPECT_EQ(worst.calls[0].sum_ns, 1'100 * kMillisecond);
  EXPECT_EQ(worst.calls[0].count, 8u);
  EXPECT_EQ(worst.calls[0].lock, report::kNobody);
  ASSERT_LT(worst.calls[1].lock, worst.locks.size());
  worst.locks[worst.calls[1].lock].name = "table";
  const auto lines = lines_of(report::worst_call_lines(worst));
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_NE(lines[0].find("under a lock (taken"), std::string::npos) << lines[0];
  EXPECT_NE(lines[1].find("under table (taken"), std::string::npos) << lines[1];
}

// ---- names that a report has looked up already

TEST(KnownNames, AreTakenOver) {
  const std::vector calls = {call(kJournal, 0x40, 600), call(kTable, 0x50, 500)};
  report::Report known;
  report::Report named = report::worst_calls(calls, program());
  for (report::CallTally& one : named.calls) {
    name(one.site, one.site.pc == kProgram + 0x40 ? "fetch_row()" : "fetch_all()", 88);
    name(one.held_site, "query()", 80);
    named.locks[one.lock].name = one.site.pc == kProgram + 0x40 ? "journal" : "table";
  }
  report::add_calls(known, named, 8);
  report::add_calls(known, named, 8);
  ASSERT_EQ(known.calls.size(), 2u);
  EXPECT_EQ(known.modules.size(), 1u);

  report::Report worst = report::worst_calls(std::vector{calls[1]}, program());
  EXPECT_TRUE(report::take_names(worst, known));
  EXPECT_EQ(report::worst_call_lines(worst),
            "impasse: read at fetch_all db.cc:88 under table (taken at query db.cc:80): "
            "4 times, 500ms in all, 250ms at most\n");
  worst = report::worst_calls(std::vector{call(kTable, 0x60, 700), calls[0]}, program());
  EXPECT_FALSE(report::take_names(worst, known)) << "one place was never looked up";
  EXPECT_TRUE(worst.calls[0].site.sources.empty());
  EXPECT_EQ(worst.calls[1].site.sources.size(), 1u);
  worst = report::worst_calls(std::vector{call(kNowhere, 0x40, 700)}, program());
  EXPECT_FALSE(report::take_names(worst, known)) << "its lock was never looked up";
}

TEST(KnownNames, AreOfTheSameFile) {
  const std::vector calls = {call(kJournal, 0x40, 600)};
  report::Report known = report::worst_calls(calls, program());
  name(known.calls[0].site, "fetch_row()", 88);
  const auto other =
      symbolize::Modules::from_maps("400000-410000 r-xp 00000000 08:01 18   /opt/plug-in\n");
  report::Report worst = report::worst_calls(calls, other);
  EXPECT_FALSE(report::take_names(worst, known));
  EXPECT_TRUE(worst.calls[0].site.sources.empty());
}

TEST(KnownNames, HaveAnEnd) {
  report::Report known;
  std::vector<CallFact> calls;
  for (std::uint64_t i = 0; i < 5; ++i) calls.push_back(call(kJournal, 0x40 + i, 600));
  report::add_calls(known, report::worst_calls(calls, program()), 3);
  EXPECT_EQ(known.calls.size(), 3u);
}

TEST(WorstCalls, AreFiveAndWorthSaying) {
  std::vector<CallFact> calls;
  for (std::uint64_t i = 0; i < 9; ++i) calls.push_back(call(kJournal, 0x40 + i, 5 + 20 * i));
  const report::Report worst = report::worst_calls(calls, program());
  ASSERT_EQ(worst.calls.size(), 5u);
  EXPECT_EQ(worst.calls.front().site.pc, kProgram + 0x48);
  EXPECT_EQ(worst.locks.size(), 1u);
  const report::Report nothing =
      report::worst_calls(std::vector{call(kJournal, 0x40, 9)}, program());
  EXPECT_TRUE(nothing.calls.empty());
  EXPECT_EQ(report::worst_call_lines(nothing), "");
}

}  // namespace
}  // namespace impasse::witness
