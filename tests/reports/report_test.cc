// What holds of every report: it reads back to the same text, it is short, it is printable.
#include <gtest/gtest.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "report/report_json.h"
#include "report/report_reader.h"
#include "report/report_text.h"
#include "report/words.h"
#include "scenes.h"
#include "whole_text.h"

namespace impasse::report {
namespace {

void expect_round_trip(const Report& report, const std::string& name) {
  const std::string json = report_json(report);
  std::string problem;
  const Report back = read_report(json, problem);
  ASSERT_EQ(problem, "") << name;
  EXPECT_EQ(report_json(back), json) << name;
  EXPECT_EQ(text_of(back), text_of(report)) << name;
}

TEST(RoundTrip, EveryScene) {
  for (const auto& [name, report] : all_scenes()) expect_round_trip(report, name);
}

TEST(RoundTrip, HostileNames) {
  expect_round_trip(hostile_names(), "hostile");
  expect_round_trip(hostile_order(), "hostile order");
}

TEST(RoundTrip, EmptyReport) {
  expect_round_trip({}, "empty");
}

void expect_printable_and_bounded(const std::string& text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    const std::size_t length = utf8_length(rest);
    ASSERT_NE(length, 0U);
    const auto c = static_cast<unsigned char>(rest.front());
    ASSERT_TRUE(c >= 0x20 || c == '\n' || c == '\t');
    ASSERT_NE(c, 0x7f);
    rest.remove_prefix(length);
  }
  EXPECT_LT(text.size(), std::size_t{64} << 10);
  EXPECT_EQ(text.find("\n==== impasse", 400), std::string::npos);
}

std::size_t json_bytes(std::uint32_t waiters, bool equal_stacks) {
  return report_json(crowd_of_thousands(waiters, equal_stacks)).size();
}

// What stands in the same place is written once; the text of one thread more is its own facts.
TEST(Json, ManyEqualStacksStaySmall) {
  EXPECT_LT(json_bytes(2'000, true), std::size_t{1'500'000});
  EXPECT_LT(json_bytes(2'000, true) - json_bytes(1'000, true), std::size_t{1'000} * 750);
  // Twenty frames for each of a thousand stacks more, none of them in a place of another.
  EXPECT_LT(json_bytes(1'500, false) - json_bytes(500, false), std::size_t{1'000} * 7'000);

  const auto json = nlohmann::json::parse(report_json(crowd_of_thousands(2'000, true)));
  EXPECT_EQ(json["threads"].size(), 2'001U);
  EXPECT_EQ(json["stacks"].size(), 2U);
  EXPECT_EQ(json["threads"][1]["stack"], json["threads"][2'000]["stack"]);
  EXPECT_EQ(json["stacks"][1]["frames"].size(), 21U);
}

TEST(Json, NoStackIsNull) {
  Report report = abba();
  report.threads[0].stack = symbolize::kNoStack;
  report.threads[1].stack = 7'777;  // nobody's
  const auto json = nlohmann::json::parse(report_json(report));
  EXPECT_TRUE(json["threads"][0]["stack"].is_null());
  EXPECT_TRUE(json["threads"][1]["stack"].is_null());
  EXPECT_FALSE(text_of(report).empty());
}

// Places are equal when their names are too: one pc may have got names in one frame only.
TEST(Json, OnePcWithTwoNamesIsTwoPlaces) {
  Report report = abba();
  report.threads[0].wait->site.sources.clear();
  expect_round_trip(report, "half named");
}

TEST(Text, HostileNamesStayPrintableAndBounded) {
  expect_printable_and_bounded(text_of(hostile_names()));
  expect_printable_and_bounded(text_of(hostile_order()));
}

TEST(Text, VeryLongCircleOfOrdersStaysShort) {
  expect_printable_and_bounded(text_of(order_of_many(5'000)));
}

// A contended lock may be the very deadlock that was predicted.
TEST(Text, NobodyIsStuckOnlyWhereNobodyWaits) {
  Report report = order_of_two();
  EXPECT_NE(text_of(report).find("Nobody is stuck in this now; both at once hang"),
            std::string::npos);
  Thread& loop = report.threads[1];
  loop.wait.emplace().kind = WaitKind::kMutex;
  loop.wait->lock = 1;
  EXPECT_NE(text_of(report).find("Nobody is stuck"), std::string::npos);
  loop.holds.emplace_back().lock = 0;
  EXPECT_EQ(text_of(report).find("Nobody is stuck"), std::string::npos);
  loop.wait.reset();
  report.threads_not_looked_at = 1;
  EXPECT_EQ(text_of(report).find("Nobody is stuck"), std::string::npos);
  EXPECT_NE(text_of(report).find("Both at once hang"), std::string::npos);
}

TEST(Text, OrdersThatPointNowhereDoNoHarm) {
  Report report = order_of_two();
  for (Order& order : report.finding.orders) {
    order.from = 1'234;
    order.to = 4'321;
    order.thread = 999;
    order.tid = 0;
    order.thread_name.clear();
    order.stack = 777;
    order.from_frame = 88;
    order.others = {{5'555, false, {}}};
  }
  EXPECT_FALSE(text_of(report).empty());
  report.finding.orders.clear();
  EXPECT_NE(text_of(report).find("not known"), std::string::npos);
}

TEST(Text, ThousandsBehindOneLockStayShort) {
  for (const bool equal : {true, false}) {
    const Report report = crowd_of_thousands(2'000, equal);
    const auto start = std::chrono::steady_clock::now();
    const std::string text = report_text(report, {});
    const auto took = std::chrono::steady_clock::now() - start;
    EXPECT_LT(text.size(), std::size_t{64} << 10);
    EXPECT_LT(std::chrono::duration<double>(took).count(), 1.0);
    const auto begun = std::chrono::steady_clock::now();
    const std::string json = report_json(report);
    RecordProperty("text_us", static_cast<int>(took / std::chrono::microseconds(1)));
    RecordProperty("json_us", static_cast<int>((std::chrono::steady_clock::now() - begun) /
                                               std::chrono::microseconds(1)));
    RecordProperty("json_bytes", static_cast<int>(json.size()));
    expect_round_trip(report, "crowd");
  }
}

TEST(Text, LineIsBounded) {
  for (const auto& [name, report] : all_scenes()) {
    const std::string line = report_line(report);
    EXPECT_LE(line.size(), 300U) << name;
    EXPECT_TRUE(line.starts_with("impasse: ")) << name;
    EXPECT_EQ(line.find('\n'), std::string::npos) << name;
  }
  EXPECT_LE(report_line(hostile_names()).size(), 300U);
  EXPECT_LE(report_line(hostile_order()).size(), 300U);
}

TEST(Text, ColourAddsNothingButColour) {
  for (const auto& [name, report] : all_scenes()) {
    const std::string plain = report_text(report, {});
    EXPECT_EQ(plain.find('\x1b'), std::string::npos) << name;
    std::string coloured = report_text(report, {.colour = true});
    EXPECT_NE(coloured.find("\x1b[1m"), std::string::npos) << name;
    std::string without;
    for (std::size_t i = 0; i < coloured.size(); ++i) {
      if (coloured[i] == '\x1b') {
        i = coloured.find('m', i);
      } else {
        without += coloured[i];
      }
    }
    EXPECT_EQ(without, plain) << name;
  }
}

TEST(Text, WithoutDrawingItIsAscii) {
  for (const auto& [name, report] : all_scenes()) {
    const std::string text = report_text(report, {.drawing = false});
    for (const char c : text) ASSERT_GE(c, 0) << name << ": " << text;
  }
}

TEST(Text, IndicesThatPointNowhereDoNoHarm) {
  Report report = abba_with_crowd();
  for (Link& link : report.finding.crowd) link = {7'777, 8'888, 9'999, LinkReason::kHolder};
  report.finding.cycle[0].blocker = 5'555;
  report.finding.root = 6'666;
  report.threads[0].holds[0].lock = 1'234;
  report.threads[0].wait->lock = 1'234;
  report.threads[1].holds[0].frame = 99;
  EXPECT_FALSE(text_of(report).empty());
  EXPECT_FALSE(report_json(report).empty());
}

TEST(Text, StuckGroupsThatPointNowhereDoNoHarm) {
  for (const auto& scene : {full_queue, lock_kept_in_wait, semaphore_ring}) {
    Report report = scene();
    for (Lock& lock : report.locks) {
      for (Signaller& one : lock.signallers) one.thread = 4'444;
      lock.signallers_ended = true;
      lock.signallers_maker = 5'555;
    }
    EXPECT_FALSE(text_of(report).empty());
    report.finding.root_lock = 6'666;
    for (Thread& thread : report.threads) {
      if (thread.wait) thread.wait->lock = thread.wait->mutex = 7'777;
    }
    EXPECT_FALSE(text_of(report).empty());
    for (Link& link : report.finding.crowd) link = {8'888, 9'999, 1'234, LinkReason::kSignaller};
    EXPECT_NE(text_of(report).find("is not known"), std::string::npos);
    EXPECT_FALSE(report_json(report).empty());
    report.finding.crowd.clear();
    EXPECT_FALSE(text_of(report).empty());
  }
}

TEST(Text, ThousandsInAStuckGroupStayShort) {
  Report report = crowd_of_thousands(2'000, true);
  report.finding.kind = FindingKind::kStuckCondition;
  report.finding.certain = false;
  report.finding.root = kNobody;
  Lock& lock = report.locks[0];
  lock.kind = LockKind::kCondition;
  for (Link& link : report.finding.crowd) {
    Thread& thread = report.threads[link.waiter];
    thread.wait->kind = WaitKind::kCondition;
    link.reason = LinkReason::kSignaller;
    Signaller& one = lock.signallers.emplace_back();
    one.thread = link.waiter;
    one.tid = thread.tid;
    one.site = thread.wait->site;
    one.count = 3;
    one.last_ns = kNow - kSecond;
  }
  const auto start = std::chrono::steady_clock::now();
  expect_printable_and_bounded(text_of(report));
  EXPECT_LT(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count(), 2.0);
  EXPECT_NE(text_of(report).find("6,000 times"), std::string::npos);
  expect_round_trip(report, "stuck crowd");
}

TEST(Text, SaysHowSureItIs) {
  const auto says = [](const Report& report, const char* words) {
    return text_of(report).find(words) != std::string::npos;
  };
  EXPECT_TRUE(says(full_queue(), "Likely, not certain"));
  EXPECT_TRUE(says(full_queue(), "STUCK CONDITION (likely): "));
  EXPECT_TRUE(says(all_asleep(false), "Likely, not certain"));
  EXPECT_FALSE(says(all_asleep(true), "ikely"));
  EXPECT_TRUE(says(all_asleep(true), "seen asleep"));
}

TEST(Text, CircleInTheCrowdEnds) {
  Report report = disk_stall();
  for (std::size_t i = 0; i + 1 < report.finding.crowd.size(); ++i) {
    report.finding.crowd[i].blocker = report.finding.crowd[i + 1].waiter;
  }
  EXPECT_LT(text_of(report).size(), std::size_t{64} << 10);
}

}  // namespace
}  // namespace impasse::report
