// Rules and baselines: what is understood, what is refused and why, what a rule holds for; that no
// file can do harm. Every golden report has a rule that silences it.
#include "report/suppressions.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "report/baseline.h"
#include "report/glob.h"
#include "report/suppression_for.h"
#include "report/suppression_match.h"
#include "report/tally.h"
#include "scenes.h"

namespace impasse::report {
namespace {

// ---- globs

bool naive_glob(std::string_view glob, std::string_view text) {
  if (glob.empty()) return text.empty();
  if (glob.front() == '*') {
    return naive_glob(glob.substr(1), text) || (!text.empty() && naive_glob(glob, text.substr(1)));
  }
  return !text.empty() && (glob.front() == '?' || glob.front() == text.front()) &&
         naive_glob(glob.substr(1), text.substr(1));
}

TEST(Glob, AgreesWithItsDefinition) {
  std::mt19937 random(3);
  const auto word = [&random](std::string_view letters) {
    std::string text(random() % 9, ' ');
    for (char& c : text) c = letters[random() % letters.size()];
    return text;
  };
  int matched = 0;
  for (int round = 0; round < 100'000; ++round) {
    const std::string glob = word("ab*?*");
    const std::string text = word("ab");
    ASSERT_EQ(matches_glob(glob, text), naive_glob(glob, text)) << glob << " " << text;
    matched += matches_glob(glob, text);
  }
  EXPECT_GT(matched, 1'000);
}

TEST(Glob, ManyStarsTakeNoTime) {
  std::string glob;
  for (int i = 0; i < 500; ++i) glob += "*a";
  EXPECT_FALSE(matches_glob(glob + "b", std::string(20'000, 'a')));
}

// ---- the file

SuppressionRule only_rule(std::string_view text) {
  Suppressions read = parse_suppressions(text);
  EXPECT_TRUE(read.complaints.empty()) << text << ": " << read.complaints.front();
  EXPECT_EQ(read.rules.size(), 1u) << text;
  return read.rules.empty() ? SuppressionRule{} : read.rules.front();
}

std::string only_complaint(std::string_view text) {
  const Suppressions read = parse_suppressions(text);
  EXPECT_TRUE(read.rules.empty()) << text;
  EXPECT_EQ(read.complaints.size(), 1u) << text;
  return read.complaints.empty() ? "" : read.complaints.front();
}

TEST(Rules, AreRead) {
  const SuppressionRule rule = only_rule(
      "\xef\xbb\xbf# known\r\n\n  kind=lock_order function=*legacy::* module=libfoo.so*\t"
      "file=*/third_party/*  \"why \\\"this\\\" is fine\"  # since May\r\n");
  EXPECT_EQ(rule.line, 3u);
  EXPECT_EQ(rule.kind, FindingKind::kLockOrder);
  ASSERT_EQ(rule.places.size(), 3u);
  EXPECT_EQ(rule.places[0].kind, PlaceKind::kFunction);
  EXPECT_EQ(rule.places[0].glob, "*legacy::*");
  EXPECT_EQ(rule.places[1].glob, "libfoo.so*");
  EXPECT_EQ(rule.places[2].glob, "*/third_party/*");
  EXPECT_EQ(rule.why, "why \"this\" is fine");
  EXPECT_EQ(only_rule("fingerprint=0123456789abcdef").fingerprint, "0123456789abcdef");
  EXPECT_EQ(only_rule("function=\"f(int, char)\"").places.front().glob, "f(int, char)");
}

TEST(Rules, RefusedWithLineAndReason) {
  EXPECT_EQ(
      only_complaint("\n\nfuncton=x"),
      "line 3: 'functon' is no condition; there are kind, function, module, file, fingerprint");
  EXPECT_EQ(only_complaint("function="), "line 1: 'function' has no value");
  EXPECT_EQ(only_complaint("function=\"\""), "line 1: 'function' has no value");
  EXPECT_EQ(only_complaint("function=\"x"), "line 1: the quotes are not closed");
  EXPECT_NE(only_complaint("function=f(int, char)").find("'char)' is no condition"),
            std::string::npos);
  EXPECT_NE(only_complaint("kind=deadlok function=f").find("there are deadlock, "),
            std::string::npos);
  EXPECT_NE(only_complaint("kind=dump function=f").find("not a finding"), std::string::npos);
  EXPECT_NE(only_complaint("kind=misuse kind=deadlock function=f").find("not two"),
            std::string::npos);
  EXPECT_NE(only_complaint("fingerprint=0123").find("16 hexadecimal digits"), std::string::npos);
  EXPECT_NE(only_complaint("kind=deadlock").find("it names no place"), std::string::npos);
  EXPECT_NE(only_complaint("function=f \"a\" \"b\"").find("nothing may stand behind"),
            std::string::npos);
}

TEST(Rules, TooBroadAreRefused) {
  for (const char* broad : {"function=*",
                            "function=**?*",
                            "function=pthread_mutex_lock",
                            "function=*mutex_lock*",
                            "function=std::mutex::lock",
                            "function=std::mutex::lock*",
                            "function=__gthread_*",
                            "function=std::lock_guard*",
                            "function=std::lock_guard<Mine>*",
                            "function=std::unique_lock*",
                            "function=std::shared_mutex*",
                            "function=mtx_lock",
                            "function=std::*",
                            "module=libc.so*",
                            "module=libpthread*",
                            "module=*",
                            "file=*",
                            "file=*.h",
                            "function=start_thread",
                            "function=pthread_cond_wait",
                            "function=std::condition_variable::notify_one",
                            "function=std::condition_variable*",
                            "function=sem_wait",
                            "function=sem_*",
                            "function=cnd_signal",
                            "kind=long_wait function=*lock* module=libc.so.6 file=*/std_mutex.h"}) {
    EXPECT_NE(only_complaint(broad).find("too broad: "), std::string::npos) << broad;
  }
  EXPECT_EQ(
      only_complaint("function=*mutex*"),
      "line 1: too broad: '*mutex*' takes in 'pthread_mutex_lock', which is in every finding; "
      "name a place of the program too");
  for (const char* narrow :
       {"function=*legacy::*", "function=*Lock*", "module=libfoo.so*", "file=*/a/*.cc",
        "function=* module=libfoo.so*", "function=* fingerprint=0123456789abcdef"}) {
    only_rule(narrow);
  }
}

TEST(Rules, BoundedAndHarmless) {
  EXPECT_EQ(only_complaint(std::string("function=f\0\n", 12)), "it is no text");
  EXPECT_NE(only_complaint("function=" + std::string(1 << 16, 'x')).find("longer"),
            std::string::npos);
  std::string many;
  for (int i = 0; i < 3'000; ++i) many += "function=f\nx\n";
  const Suppressions read = parse_suppressions(many);
  EXPECT_EQ(read.rules.size(), Suppressions::kMostRules);
  EXPECT_EQ(read.complaints.size(), Suppressions::kMostComplaints + 1);
  std::string conditions;
  for (int i = 0; i < 20; ++i) conditions += "function=f ";
  EXPECT_NE(only_complaint(conditions).find("more than 16"), std::string::npos);

  std::mt19937 random(5);
  constexpr std::string_view kPieces[] = {"kind=",
                                          "function=",
                                          "deadlock",
                                          "\"",
                                          "\\",
                                          "=",
                                          " ",
                                          "\n",
                                          "*",
                                          "?",
                                          "file=x",
                                          "#",
                                          "fingerprint=",
                                          "0123456789abcdef",
                                          "\xff\x1b"};
  for (int round = 0; round < 20'000; ++round) {
    std::string text;
    for (std::size_t i = random() % 20; i != 0; --i) text += kPieces[random() % std::size(kPieces)];
    for (const SuppressionRule& rule : parse_suppressions(text).rules) {
      ASSERT_TRUE(!rule.places.empty() || !rule.fingerprint.empty()) << text;
    }
  }
}

// ---- what a rule holds for

bool holds(std::string_view rule, const Report& report) {
  return judge({only_rule(rule)}, report).suppressed();
}
bool may_hold(std::string_view rule, const Report& report) {
  return judge({only_rule(rule)}, report).open();
}

TEST(Match, ByEveryCondition) {
  const Report report = abba();
  const std::vector<std::string> functions = functions_of_finding(report);
  ASSERT_FALSE(functions.empty());
  const std::string function = "function=" + rule_value(functions.front());
  EXPECT_TRUE(holds(function, report));
  EXPECT_TRUE(holds("kind=deadlock " + function, report));
  EXPECT_FALSE(holds("kind=long_wait " + function, report));
  EXPECT_FALSE(holds(function + " function=nobody", report));
  EXPECT_FALSE(holds(function + " file=nowhere.cc", report));
  EXPECT_FALSE(holds(function + " module=libnone.so", report));
  EXPECT_TRUE(holds("fingerprint=" + report.finding.fingerprint, report));
  EXPECT_FALSE(holds("fingerprint=0000000000000001", report));
  EXPECT_FALSE(holds("fingerprint=" + report.finding.fingerprint + " function=nobody", report));
}

TEST(Match, BystandersAreNotAsked) {
  ReportScene scene(FindingKind::kDeadlock);
  const auto one = scene.thread(1, "one");
  const auto idle = scene.thread(2, "idle");
  const auto lock = scene.lock("m", LockKind::kMutex);
  scene.took(one, lock, kSecond, {"first", "first.cc", 1});
  scene.waits(one, WaitKind::kMutex, lock, kSecond, {"again", "again.cc", 1});
  scene.waits(idle, WaitKind::kMutex, lock, kSecond, {"bystander", "bystander.cc", 1});
  scene.cycle({one});
  scene.report.threads[one].involved = true;
  scene.report.threads[idle].involved = false;
  EXPECT_TRUE(holds("function=again", scene.report));
  EXPECT_TRUE(holds("function=first", scene.report));
  EXPECT_TRUE(holds("file=again.cc", scene.report));
  EXPECT_FALSE(holds("function=bystander", scene.report));
}

TEST(Match, OrdersCount) {
  ReportScene scene(FindingKind::kLockOrder);
  Order order;
  order.from_site = scene.frame({"legacy::outer(int)", "/src/third_party/outer.cc", 7});
  order.to_site = scene.frame({"legacy::inner()", "/src/inner.cc", 9});
  scene.report.finding.orders.push_back(order);
  EXPECT_TRUE(holds("kind=lock_order function=legacy::outer file=*/third_party/*", scene.report));
  EXPECT_TRUE(holds("function=legacy::inner() file=inner.cc", scene.report));
  EXPECT_FALSE(holds("function=outer", scene.report));
}

TEST(Match, SignallersCount) {
  const Report report = lock_kept_in_wait();
  EXPECT_TRUE(holds("kind=stuck_condition function=Session::await_ready", report));
  EXPECT_TRUE(holds("function=Feeder::announce file=feeder.cc", report));
  EXPECT_TRUE(holds("function=Registry::open", report));
  EXPECT_FALSE(holds("kind=all_asleep function=Session::await_ready", report));
  EXPECT_FALSE(holds("function=Server::run", report));
  EXPECT_TRUE(holds("kind=all_asleep function=Work::add", all_asleep(true)));
}

TEST(Match, OpenUntilNamesAreKnown) {
  Report report = without_names();
  report.named = false;
  EXPECT_TRUE(may_hold("function=x", report));
  EXPECT_TRUE(may_hold("file=x", report));
  EXPECT_FALSE(may_hold("module=libnone.so", report));
  EXPECT_FALSE(may_hold("function=x fingerprint=0000000000000001", report));
  report.named = true;
  EXPECT_FALSE(may_hold("function=x", report));
  EXPECT_FALSE(holds("function=x", report));
}

TEST(Match, DumpsAreNeverSuppressed) {
  Report report = abba();
  const std::string rule = "fingerprint=" + report.finding.fingerprint;
  report.finding.kind = FindingKind::kDump;
  EXPECT_FALSE(holds(rule, report));
}

// ---- the rule that would silence a finding

TEST(RuleFor, EveryGoldenReport) {
  auto scenes = all_scenes();
  scenes.emplace_back("hostile", hostile_names());
  int by_function = 0;
  for (const auto& [name, report] : scenes) {
    const std::string text = suppression_for(report);
    if (report.finding.kind == FindingKind::kDump) {
      EXPECT_EQ(text, "") << name;
      continue;
    }
    const Suppressions read = parse_suppressions(text);
    ASSERT_TRUE(read.complaints.empty()) << name << ": " << text;
    ASSERT_EQ(read.rules.size(), 1u) << name << ": " << text;
    EXPECT_TRUE(judge(read.rules, report).suppressed()) << name << ": " << text;
    by_function += !read.rules.front().places.empty();
    if (!read.rules.front().places.empty()) {
      EXPECT_EQ(read.rules.front().kind, report.finding.kind) << name;
    }
    for (const auto& [other_name, other] : scenes) {
      if (other.finding.kind == report.finding.kind || read.rules.front().places.empty()) continue;
      EXPECT_FALSE(judge(read.rules, other).suppressed()) << name << " silences " << other_name;
    }
  }
  EXPECT_GT(by_function, 15);
}

TEST(RuleFor, WithoutNamesItIsTheFingerprint) {
  const Report report = without_names();
  const Suppressions read = parse_suppressions(suppression_for(report));
  ASSERT_EQ(read.rules.size(), 1u);
  EXPECT_EQ(read.rules.front().fingerprint, report.finding.fingerprint);
  Report bare = report;
  bare.finding.fingerprint.clear();
  EXPECT_EQ(suppression_for(bare), "");
}

// ---- the baseline

constexpr const char* kOne = "0123456789abcdef";
constexpr const char* kTwo = "fedcba9876543210";

TEST(BaselineFile, GoesThereAndBack) {
  Baseline baseline;
  EXPECT_TRUE(baseline.add({kTwo, "deadlock", "a \"note\" \x01\xff"}));
  EXPECT_TRUE(baseline.add({kOne, "misuse", ""}));
  EXPECT_TRUE(baseline.add({kTwo, "other", "the first counts"}));
  std::string problem;
  const Baseline read = read_baseline(baseline_json(baseline), problem);
  EXPECT_EQ(problem, "");
  ASSERT_EQ(read.findings().size(), 2u);
  EXPECT_EQ(read.findings()[0].fingerprint, kOne);
  EXPECT_EQ(read.findings()[1].kind, "deadlock");
  EXPECT_TRUE(read.has(kOne));
  EXPECT_FALSE(read.has("0000000000000000"));
  EXPECT_FALSE(Baseline().has(kOne));
}

TEST(BaselineFile, PassesOverWhatItDoesNotKnow) {
  std::string problem;
  const Baseline read = read_baseline(
      R"({"made": {"by": ["x", 1.5e3, null, {"deep": []}]}, "findings": [{"extra": [true, false], "fingerprint":)"
      R"( "0123456789abcdef"}], "schema": "impasse-baseline/1"})",
      problem);
  EXPECT_EQ(problem, "");
  EXPECT_TRUE(read.has(kOne));
}

TEST(BaselineFile, RefusedWithReason) {
  const auto problem_of = [](std::string_view json) {
    std::string problem;
    EXPECT_TRUE(read_baseline(json, problem).findings().empty()) << json;
    return problem;
  };
  EXPECT_NE(problem_of("").find("no JSON"), std::string::npos);
  EXPECT_NE(problem_of("[]").find("no JSON"), std::string::npos);
  EXPECT_NE(problem_of("{}").find("no schema"), std::string::npos);
  EXPECT_NE(problem_of(R"({"schema": "impasse-baseline/1"})").find("no list"), std::string::npos);
  EXPECT_NE(problem_of(R"({"schema": "impasse/1", "findings": []})").find("'impasse/1'"),
            std::string::npos);
  EXPECT_NE(problem_of(R"({"schema": "impasse-baseline/1", "findings": [{"kind": "x"}]})")
                .find("no fingerprint"),
            std::string::npos);
  EXPECT_NE(problem_of(R"({"schema": "impasse-baseline/1", "findings": []} x)").find("no JSON"),
            std::string::npos);
  EXPECT_NE(problem_of(R"({"x": )" + std::string(100'000, '[')).find("no JSON"), std::string::npos);
}

TEST(BaselineFile, NoBytesCanDoHarm) {
  Baseline baseline;
  baseline.add({kOne, "deadlock", "n\\ \"x\""});
  baseline.add({kTwo, "misuse", "m"});
  const std::string whole = baseline_json(baseline);
  std::string problem;
  for (std::size_t cut = 0; cut + 2 < whole.size(); ++cut) {
    EXPECT_TRUE(read_baseline(std::string_view(whole).substr(0, cut), problem).findings().empty());
    EXPECT_NE(problem, "") << cut;
  }
  std::mt19937 random(9);
  for (int round = 0; round < 50'000; ++round) {
    std::string text = whole;
    for (std::size_t i = 1 + random() % 4; i != 0; --i)
      text[random() % text.size()] = static_cast<char>(random());
    const Baseline read = read_baseline(text, problem);
    ASSERT_TRUE(problem.empty() || read.findings().empty());
  }
}

// ---- last words

TEST(LastWords, SayWhatWasFoundAndWhatWasNot) {
  const auto rules = parse_suppressions("function=a\nfunction=b\nfunction=c\nfunction=d\n").rules;
  RuleUse use(rules.size());
  Tally tally;
  EXPECT_EQ(last_words(tally, {}, RuleUse(0), "", "/r"), "");
  use.count({{0}, {2}});
  use.count({{0}, {}});
  use.leave_open({{}, {3}});
  tally.suppressed = 2;
  EXPECT_EQ(last_words(tally, rules, use, "rules", "/r"),
            "impasse: 2 suppressed\n"
            "impasse: suppressed 2 by rule rules:1 (function=a)\n"
            "impasse: unused rule rules:2 (function=b)\n");
  tally.told[static_cast<std::size_t>(FindingKind::kDeadlock)] = 1;
  tally.told[static_cast<std::size_t>(FindingKind::kLockOrder)] = 2;
  tally.low[static_cast<std::size_t>(FindingKind::kLockOrder)] = 1;
  tally.known = 1;
  tally.suppressed = 3;
  EXPECT_EQ(
      last_words(tally, {}, RuleUse(0), "", "/path"),
      "impasse: 1 deadlock, 2 lock orders (1 low); 1 known; 3 suppressed; reports in /path\n");
}

TEST(LastWords, AreFewHoweverManyRulesThereAre) {
  std::string text;
  for (int i = 0; i < 500; ++i) text += "function=f" + std::to_string(i) + "\n";
  const auto rules = parse_suppressions(text).rules;
  const std::string words = last_words({}, rules, RuleUse(rules.size()), "rules", "");
  EXPECT_EQ(std::count(words.begin(), words.end(), '\n'), 21);
  EXPECT_NE(words.find("and 480 rules more"), std::string::npos);
}

}  // namespace
}  // namespace impasse::report
