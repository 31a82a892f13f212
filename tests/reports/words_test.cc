// What the words of a report must say of a scene, and must not: whatever else is in its text.
#include <gtest/gtest.h>

#include "detector/snapshot.h"
#include "report/report_text.h"
#include "scenes.h"
#include "whole_text.h"

namespace impasse::report {
namespace {

std::string without_breaks(std::string text) {
  std::string flat;
  for (const char c : text) {
    const char shown = c == '\n' ? ' ' : c;
    if (shown != ' ' || !flat.ends_with(' ')) flat += shown;
  }
  return flat;
}

bool says(const Report& report, const std::string& words) {
  return without_breaks(text_of(report)).find(words) != std::string::npos;
}

std::size_t count_of(const std::string& text, const std::string& words) {
  std::size_t n = 0;
  for (std::size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) {
    ++n;
  }
  return n;
}

TEST(Misuse, IsNoWait) {
  for (const auto kind :
       {MisuseKind::kUnlockByOther, MisuseKind::kUnlockOfFree, MisuseKind::kDestroyWhileHeld}) {
    const Report report = misuse_of(kind);
    for (const char* words : {"WAITS FOR", "wait for", "wants ", "asked at", "behind it"}) {
      EXPECT_FALSE(says(report, words)) << words;
    }
  }
  EXPECT_TRUE(says(misuse_of(MisuseKind::kUnlockByOther), "unlocked table_mutex Table::leave"));
  EXPECT_TRUE(says(misuse_of(MisuseKind::kDestroyWhileHeld), "destroyed table_mutex Table::leave"));
}

TEST(Misuse, OfTwoPlacesEachSaysWhatItIs) {
  EXPECT_TRUE(says(destroyed_by_its_holder(),
                   ", at Table::leave table.cc:90, while it held it itself, taken at Table::enter "
                   "table.cc:30."));
}

TEST(RefusedRelock, NobodyWaits) {
  const Report report = refused_relock();
  for (const char* words : {"waits for itself", "wants", "WAITS FOR", "began to wait", "asked at",
                            "can never go on", "impasse confirmed"}) {
    EXPECT_FALSE(says(report, words)) << words;
  }
  EXPECT_TRUE(says(report, "nobody waits"));
  EXPECT_TRUE(says(report, "asked to write raft_node again, and was refused"));
  Report to_read = report;
  to_read.finding.call_shared = true;
  EXPECT_TRUE(says(to_read, "asked to read raft_node"));
}

TEST(Tree, AWayRoundIsDrawnOnce) {
  const std::string text = text_of(round_about_the_root());
  EXPECT_EQ(count_of(text, "wants  5"), 2U) << text;
  EXPECT_EQ(text.find("deeper layers"), std::string::npos);
  EXPECT_TRUE(says(round_about_the_root(), "One thread waits behind it"));
}

void expect_in_this_order(const Report& report, const std::string& first, const std::string& then) {
  const std::string text = text_of(report);
  const std::size_t start = text.find("TIMELINE");
  const std::size_t one = text.find(first, start);
  const std::size_t other = text.find(then, start);
  ASSERT_NE(one, std::string::npos) << first;
  ASSERT_NE(other, std::string::npos) << then;
  EXPECT_LT(one, other) << text;
}

// A stamp is good to a tenth of a second only, and may be the younger one.
TEST(Timeline, AThreadTookBeforeItWaited) {
  Report report = abba();
  for (Thread& thread : report.threads) {
    if (thread.wait && !thread.holds.empty()) {
      thread.holds[0].since_ns = thread.wait->since_ns + 90 * kMillisecond;
    }
  }
  expect_in_this_order(report, "100 \"raft-loop\"      took", "100 \"raft-loop\"      began");
  expect_in_this_order(report, "101 \"raft-monitor\"   took", "101 \"raft-monitor\"   began");
  expect_in_this_order(destroyed_by_its_holder(), "took table_mutex", "destroyed table_mutex");
}

// Unless it is too much: a signal handler took it while the thread waited.
TEST(Timeline, WhatWasTakenWithinAWaitStaysThere) {
  Report report = abba();
  Thread& loop = report.threads[1];
  loop.wait->since_ns = kNow - 900 * kMillisecond;
  expect_in_this_order(report, "100 \"raft-loop\"      began", "100 \"raft-loop\"      took");
}

TEST(Timeline, SaysThatThereAreMoreSignallers) {
  Report report = crosswise_conditions();
  Lock& lock = report.locks[report.finding.root_lock];
  ASSERT_FALSE(lock.signallers.empty());
  const Signaller pattern = lock.signallers[0];
  lock.signallers.clear();
  for (std::uint32_t i = 0; i < 6; ++i) {
    lock.signallers.push_back(pattern);
    lock.signallers.back().tid = 5'000 + i;
    lock.signallers.back().last_ns -= i * kSecond;
  }
  EXPECT_TRUE(says(report, "until then 2 more threads signalled " + lock.name));
  lock.signallers.resize(4);
  EXPECT_FALSE(says(report, "until then"));
}

TEST(Timeline, PlacesStandInOneColumn) {
  Report long_names = abba();
  long_names.locks[0].name = "raft::" + std::string(50, 'n');
  for (const Report& report : {long_names, full_queue(), join_under_lock()}) {
    const std::string text = text_of(report);
    std::size_t at = text.find("TIMELINE\n") + 9;
    std::size_t column = 0;
    for (std::size_t end = text.find('\n', at); end > at; end = text.find('\n', at)) {
      const std::string line = text.substr(at, end - at);
      at = end + 1;
      const std::size_t gap = line.rfind("   ");
      const std::size_t where = gap == std::string::npos ? gap : line.find_first_not_of(' ', gap);
      if (line.find("confirmed") != std::string::npos) continue;
      if (line.find("until then") != std::string::npos) continue;
      if (column == 0) column = where;
      EXPECT_EQ(where, column) << line;
    }
    EXPECT_NE(column, 0U);
  }
}

TEST(WayOut, FitsWhatThereIs) {
  EXPECT_TRUE(says(join_ring(), "Usual way out: joining goes one way"));
  EXPECT_FALSE(says(join_ring(), "lock"));
  EXPECT_TRUE(says(join_under_lock(), "give back every lock"));
  EXPECT_TRUE(says(once_within_itself(), "nothing that an initializer calls"));
  EXPECT_FALSE(says(once_within_itself(), "give it back"));
  EXPECT_TRUE(says(once_and_lock(), "Usual way out: no lock in an initializer"));
  EXPECT_FALSE(says(once_and_lock(), "both locks"));
  EXPECT_TRUE(says(abba(), "one order for both locks"));
  EXPECT_TRUE(says(unseen_relock(), "Where it took it is not known"));
  EXPECT_TRUE(says(unseen_relock(), "a second form of the inner function"));
  EXPECT_TRUE(says(barrier_too_few(), "as many threads as the barrier was made for"));
  EXPECT_FALSE(says(barrier_too_few(), "broadcast"));
}

TEST(Dropped, OneIsSingular) {
  Report report = abba();
  for (const CounterText& counter : counter_texts()) report.dropped.emplace_back(counter.text, 1);
  for (const char* words :
       {"1 thread that found no free slot", "1 stack of lock orders that found no room",
        "1 beginning, end or join of threads that", "1 finding that was not reported",
        "1 broken rule that found", "1 condition or semaphore of a thread",
        "1 call under a lock"}) {
    EXPECT_TRUE(says(report, words)) << words;
  }
  EXPECT_FALSE(says(report, "1 the watchdog"));
  for (auto& [text, count] : report.dropped) count = 2;
  EXPECT_TRUE(says(report, "2 threads that found no free slot"));
  EXPECT_TRUE(says(report, "2 findings that were not reported"));
}

}  // namespace
}  // namespace impasse::report
