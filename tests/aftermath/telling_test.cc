// A finding that grows while names are not known: what stands on disk, what counts, and what is
// told when the process ends before them.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "detector/findings.h"
#include "unit/test_ledger.h"
#include "witness/naming.h"
#include "witness/witness.h"

namespace impasse::witness {
namespace {

constexpr std::uint32_t kGone = 4'000'001;  // no system has as many threads
constexpr std::uint32_t kWaiter = 4'000'002;
constexpr std::uint64_t kLock = 0x1000;
constexpr std::uint64_t kNow = 900'000'000'000;

LockState left_by_gone(std::uint64_t, LockKind) {
  LockState state;
  state.readable = true;
  state.owner = kGone;
  return state;
}

[[gnu::noinline]] std::uint64_t place_of_ours() {
  return reinterpret_cast<std::uint64_t>(&place_of_ours) + 1;
}

// A thread ended with a lock in its hands; another one may want it.
Snapshot left_lock(bool wanted) {
  Snapshot snapshot;
  snapshot.tick = 50'000;
  snapshot.tick_ns = 10'000'000;
  snapshot.now_ns = kNow;
  DepartureFact gone;
  gone.tid = kGone;
  gone.reason = DepartureReason::kThreadEnded;
  gone.when_ns = kNow - 2'000'000'000;
  gone.hold.lock = kLock;
  gone.hold.site = place_of_ours();
  snapshot.departures.push_back(gone);
  if (!wanted) return snapshot;
  ThreadFact waiter;
  waiter.tid = kWaiter;
  waiter.number = 1;
  waiter.name = "waiter";
  WaitFact wait;
  wait.kind = WaitKind::kMutex;
  wait.object = kLock;
  wait.site = place_of_ours() + 1;
  wait.since_ns = kNow - 1'000'000'000;
  waiter.wait = wait;
  snapshot.threads.push_back(waiter);
  return snapshot;
}

Verdict misuse() {
  Verdict verdict;
  verdict.kind = FindingKind::kMisuse;
  verdict.gone_root = 0;
  verdict.root_lock = kLock;
  return verdict;
}

Verdict orphaned() {
  Verdict verdict = misuse();
  verdict.kind = FindingKind::kOrphanedLock;
  verdict.crowd.push_back({0, 0, kLock, LinkReason::kGone});
  return verdict;
}

struct Listener final : ReportListener {
  void reported(const Reported& what) override { told.push_back(what); }
  void suppressed(FindingKind kind, const std::string&) override { silenced.push_back(kind); }
  std::vector<Reported> told;
  std::vector<FindingKind> silenced;
};

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Nobody works on the side thread: names stay unknown for as long as the test wants it.
class Telling : public testing::Test {
 protected:
  Telling() {
    char name[] = "/tmp/impasse-telling.XXXXXX";
    directory_ = mkdtemp(name);
  }
  ~Telling() override { std::filesystem::remove_all(directory_); }

  void begin(const std::string& rules, const std::string& known = "") {
    Settings settings;
    settings.outcome = &outcome_;
    settings.directory = directory_ / "reports";
    settings.most_reports = most_reports_;
    settings.counts_findings = true;
    std::filesystem::create_directory(settings.directory);
    settings.suppressions = directory_ / "rules";
    std::ofstream(settings.suppressions) << rules;
    if (!known.empty()) {
      settings.baseline = directory_ / "known";
      std::ofstream(settings.baseline) << known;
    }
    witness_ =
        std::make_unique<Witness>(*ledger_, left_by_gone, settings, walkers_, side_, listener_);
  }

  bool tell(const Verdict& verdict, std::uint32_t update) {
    const Snapshot snapshot = left_lock(verdict.kind == FindingKind::kOrphanedLock);
    return witness_->tell(impasse::Telling{1, update, kNow, &verdict, {}}, snapshot);
  }

  std::string last_words() {
    testing::internal::CaptureStderr();
    witness_->say_last_words();
    return testing::internal::GetCapturedStderr();
  }

  std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory_ / "reports")) {
      if (entry.path().extension() == ".json") names.push_back(entry.path());
    }
    return names;
  }
  bool on_disk_as(const std::string& kind) const {
    const auto all = files();
    return all.size() == 1 &&
           text_of(all.front()).find("\"kind\": \"" + kind + '"') != std::string::npos;
  }

  std::filesystem::path directory_;
  std::uint32_t most_reports_ = 100;
  test::TestLedger ledger_;
  Walkers walkers_;
  SideThread side_;
  Outcome outcome_;
  Listener listener_;
  std::unique_ptr<Witness> witness_;
};

TEST_F(Telling, WhatItBecameIsOnDiskWhileARuleIsAsked) {
  begin("kind=orphaned_lock function=nobody\n");
  ASSERT_TRUE(tell(misuse(), 0));
  ASSERT_EQ(listener_.told.size(), 1U);
  ASSERT_TRUE(tell(orphaned(), 1));
  EXPECT_TRUE(on_disk_as("orphaned_lock"));
  EXPECT_EQ(listener_.told.size(), 1U);
  EXPECT_EQ(outcome_.open, 1U);
  EXPECT_EQ(outcome_.counting, 1U);
}

TEST_F(Telling, WhatItBecameIsToldWhenTheProcessEndsBeforeNames) {
  begin("kind=orphaned_lock function=nobody\n");
  ASSERT_TRUE(tell(misuse(), 0));
  ASSERT_TRUE(tell(orphaned(), 1));
  EXPECT_EQ(last_words(),
            "impasse: 1 orphaned lock; reports in " + directory_.string() + "/reports\n");
  ASSERT_EQ(listener_.told.size(), 2U);
  EXPECT_EQ(listener_.told.back().kind, FindingKind::kOrphanedLock);
  EXPECT_FALSE(listener_.told.back().first);
  EXPECT_EQ(outcome_.open, 0U);
  EXPECT_EQ(outcome_.counting, 1U);
  EXPECT_NE(text_of(files().front()).find("the process ended before names were known"),
            std::string::npos);
}

TEST_F(Telling, WhatItBecameIsToldWhenNamesAreLost) {
  begin("kind=orphaned_lock function=nobody\n");
  ASSERT_TRUE(tell(misuse(), 0));
  ASSERT_TRUE(tell(orphaned(), 1));
  ASSERT_EQ(listener_.told.size(), 1U);
  side_.set_lost();
  witness_->tend(1);
  ASSERT_EQ(listener_.told.size(), 2U);
  EXPECT_EQ(outcome_.open, 0U);
}

// Known as what it was, new as what it is: it counts from the moment on that it may be new.
TEST_F(Telling, WhatMayBeNewCountsWhileARuleIsAsked) {
  begin("function=nobody\n");
  ASSERT_TRUE(tell(misuse(), 0));
  last_words();
  const std::string first = text_of(files().at(0));
  constexpr std::string_view kKey = "\"fingerprint\": \"";
  const std::string fingerprint = first.substr(first.find(kKey) + kKey.size(), 16);
  witness_.reset();
  outcome_.counting = outcome_.open = 0;
  std::filesystem::remove_all(directory_ / "reports");

  begin("kind=orphaned_lock function=nobody\n",
        R"({"schema": "impasse-baseline/1", "findings": [{"fingerprint": ")" + fingerprint +
            R"(", "kind": "misuse"}]})");
  ASSERT_TRUE(tell(misuse(), 0));
  EXPECT_EQ(outcome_.counting + outcome_.open, 0U);
  ASSERT_TRUE(tell(orphaned(), 1));
  EXPECT_EQ(outcome_.counting, 0U);
  EXPECT_EQ(outcome_.open, 1U);
  const std::string words = last_words();
  EXPECT_NE(words.find("ORPHANED LOCK"), std::string::npos) << words;
  EXPECT_EQ(words.find("known"), std::string::npos) << words;
  EXPECT_EQ(outcome_.counting, 1U);
  EXPECT_EQ(outcome_.open, 0U);
}

// What was held back is not on disk; what it became must not wait for that.
TEST_F(Telling, WhatNobodyMayLoseWaitsForNoQuestionAboutWhatItWas) {
  begin("function=nobody\n");
  ASSERT_TRUE(tell(misuse(), 0));
  EXPECT_TRUE(files().empty());
  EXPECT_EQ(outcome_.open, 1U);
  ASSERT_TRUE(tell(orphaned(), 1));
  EXPECT_TRUE(on_disk_as("orphaned_lock"));
  EXPECT_EQ(outcome_.open, 1U);
  EXPECT_TRUE(listener_.told.empty());

  const std::string words = last_words();
  EXPECT_NE(words.find("impasse: 1 orphaned lock; reports in"), std::string::npos) << words;
  ASSERT_EQ(listener_.told.size(), 1U);
  EXPECT_TRUE(listener_.told.front().first);
  EXPECT_EQ(listener_.told.front().kind, FindingKind::kOrphanedLock);
  EXPECT_EQ(files().size(), 1U);
  EXPECT_EQ(outcome_.open, 0U);
  EXPECT_EQ(outcome_.counting, 1U);
}

TEST_F(Telling, TheSameAgainWaitsUntilTheRulesWereAsked) {
  begin("function=nobody\n");
  ASSERT_TRUE(tell(misuse(), 0));
  EXPECT_FALSE(tell(misuse(), 1));
  EXPECT_EQ(outcome_.open, 1U);
}

// The question is answered on this thread in the end, and for what it became alone.
TEST_F(Telling, ADroppedQuestionIsNotAnswered) {
  begin("kind=misuse function=nobody\n");
  ASSERT_TRUE(tell(misuse(), 0));
  ASSERT_TRUE(tell(orphaned(), 1));
  EXPECT_EQ(outcome_.open, 0U);
  ASSERT_EQ(listener_.told.size(), 1U);
  for (std::uint64_t second = 1; second < 6; ++second) witness_->tend(second * 1'000'000'000);
  EXPECT_FALSE(witness_->naming());
  EXPECT_EQ(listener_.told.size(), 1U);
  EXPECT_TRUE(on_disk_as("orphaned_lock"));
  EXPECT_EQ(outcome_.counting, 1U);
  // The rule might have held, for what it was.
  EXPECT_EQ(last_words().find("unused"), std::string::npos);
}

// ---- max_reports is reached

TEST_F(Telling, WhatIsNotWrittenCounts) {
  most_reports_ = 0;
  begin("");
  ASSERT_TRUE(tell(misuse(), 0));
  EXPECT_EQ(outcome_.counting, 1U);
  ASSERT_TRUE(tell(misuse(), 1));
  ASSERT_TRUE(tell(orphaned(), 2));
  EXPECT_EQ(outcome_.counting, 1U);
  EXPECT_TRUE(files().empty());
  EXPECT_TRUE(listener_.told.empty());
  EXPECT_EQ(last_words(), "");
}

TEST_F(Telling, WhatIsNotWrittenCountsAsWhatItIsAtTheEnd) {
  most_reports_ = 0;
  begin("kind=orphaned_lock module=aftermath_*\n");
  ASSERT_TRUE(tell(misuse(), 0));
  EXPECT_EQ(outcome_.counting, 1U);
  ASSERT_TRUE(tell(orphaned(), 1));
  EXPECT_EQ(outcome_.counting, 0U);
  EXPECT_EQ(listener_.silenced, std::vector{FindingKind::kOrphanedLock});
}

// For what must never be lost as well as for what is held back.
TEST_F(Telling, WhatIsNotWrittenAsksTheRules) {
  most_reports_ = 0;
  begin("function=nobody\n");
  ASSERT_TRUE(tell(misuse(), 0));
  EXPECT_EQ(outcome_.open, 1U);
  EXPECT_EQ(outcome_.counting, 0U);
  ASSERT_TRUE(tell(orphaned(), 1));
  EXPECT_EQ(outcome_.open, 1U);
  EXPECT_TRUE(files().empty());
  last_words();
  EXPECT_EQ(outcome_.open, 0U);
  EXPECT_EQ(outcome_.counting, 1U);
  EXPECT_TRUE(files().empty());
  EXPECT_TRUE(listener_.told.empty());
}

TEST_F(Telling, WhatIsHeldBackTakesNoPlaceOfAnother) {
  most_reports_ = 1;
  begin("kind=misuse function=nobody\n");
  ASSERT_TRUE(tell(misuse(), 0));
  const Verdict other = orphaned();
  ASSERT_TRUE(witness_->tell(impasse::Telling{2, 0, kNow, &other, {}}, left_lock(true)));
  EXPECT_TRUE(on_disk_as("orphaned_lock"));
  last_words();
  EXPECT_EQ(files().size(), 1U);
  EXPECT_EQ(outcome_.counting, 2U);
  EXPECT_EQ(outcome_.open, 0U);
}

}  // namespace
}  // namespace impasse::witness
