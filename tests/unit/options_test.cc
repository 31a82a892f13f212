// The option text: what is understood, what is complained about, and that nothing in it can do
// harm.
#include "options/options.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

#include "options/nearest_name.h"
#include "options/options_table.h"

namespace impasse {
namespace {

std::string only_complaint(std::string_view text) {
  Complaints complaints;
  parse(text, complaints);
  EXPECT_EQ(complaints.size(), 1u) << text;
  return complaints.size() == 0 ? "" : std::string(complaints[0]);
}

Options silent(std::string_view text) {
  Complaints complaints;
  const Options options = parse(text, complaints);
  EXPECT_EQ(complaints.size(), 0u) << text << ": " << complaints[0];
  return options;
}

void expect_defaults(const Options& options) {
  EXPECT_EQ(options.dir.view(), ".");
  EXPECT_EQ(options.wait.ns, 10'000'000'000u);
  EXPECT_EQ(options.order, OrderWish::kOn);
  EXPECT_EQ(options.on_deadlock, OnDeadlock::kReport);
  EXPECT_EQ(options.exit_code, 0u);
  EXPECT_TRUE(options.only.empty());
  EXPECT_EQ(options.max_reports, 100u);
  EXPECT_EQ(options.log.view(), "off");
  EXPECT_EQ(options.ledger.view(), "/dev/shm");
}

TEST(Options, NothingSaidMeansTheDefaults) {
  expect_defaults(silent(""));
  expect_defaults(silent("  ,, \t\n "));
}

TEST(Options, EveryDefaultOfTheTableIsAValueThatTheParserTakes) {
  for (const OptionRow& row : option_rows()) {
    if (row.initial.empty()) continue;
    silent(std::string(row.name) + "=" + std::string(row.initial));
  }
}

TEST(Options, SpacesAndCommasSeparate) {
  const Options options =
      silent("dir=/tmp/r,wait=250ms order=off, on_deadlock=abort  exit_code=66");
  EXPECT_EQ(options.dir.view(), "/tmp/r");
  EXPECT_EQ(options.wait.ns, 250'000'000u);
  EXPECT_EQ(options.order, OrderWish::kOff);
  EXPECT_EQ(options.on_deadlock, OnDeadlock::kAbort);
  EXPECT_EQ(options.exit_code, 66u);
}

TEST(Options, TheLastOfARepeatedKeyCounts) {
  EXPECT_EQ(silent("wait=1s wait=2s wait=3s").wait.ns, 3'000'000'000u);
  Complaints complaints;
  EXPECT_EQ(parse("wait=1s wait=never", complaints).wait.ns, 10'000'000'000u);
  EXPECT_EQ(complaints.size(), 1u);
}

TEST(Options, Durations) {
  EXPECT_EQ(silent("wait=1ms").wait.ns, 1'000'000u);
  EXPECT_EQ(silent("wait=5m").wait.ns, 300'000'000'000u);
  EXPECT_EQ(silent("wait=1h").wait.ns, 3'600'000'000'000u);
  for (const char* wrong : {"10", "s", "ms", "-1s", "0s", "1.5s", "10 s", "10S", "1d",
                            "99999999999999999999s", "9999999999999h", "+1s", "0x10s"}) {
    Complaints complaints;
    EXPECT_EQ(parse(std::string("wait=") + wrong, complaints).wait.ns, 10'000'000'000u) << wrong;
    EXPECT_GE(complaints.size(), 1u) << wrong;
  }
}

TEST(Options, CountsKeepToTheirRange) {
  EXPECT_EQ(silent("exit_code=255").exit_code, 255u);
  EXPECT_EQ(silent("max_reports=0").max_reports, 0u);
  for (const char* wrong : {"256", "-1", "1e3", "", "4294967296", "18446744073709551616", "7x"}) {
    Complaints complaints;
    EXPECT_EQ(parse(std::string("exit_code=") + wrong, complaints).exit_code, 0u) << wrong;
    EXPECT_EQ(complaints.size(), 1u) << wrong;
  }
}

TEST(Options, QuotesKeepSeparatorsInAValue) {
  EXPECT_EQ(silent("dir=\"/tmp/a b,c\" wait=1s").dir.view(), "/tmp/a b,c");
  EXPECT_EQ(silent("dir=\"/tmp/a b,c\" wait=1s").wait.ns, 1'000'000'000u);
  EXPECT_NE(only_complaint("dir=\"/tmp/a b wait=1s").find("no closing quote"), std::string::npos);
}

TEST(Options, ComplaintsSayWhatWouldBeRight) {
  EXPECT_EQ(only_complaint("wiat=3s"), "unknown option 'wiat' ignored; did you mean 'wait'?");
  EXPECT_EQ(only_complaint("on-deadlock=abort"),
            "unknown option 'on-deadlock' ignored; did you mean 'on_deadlock'?");
  EXPECT_EQ(only_complaint("zzzzzzzz=1"),
            "unknown option 'zzzzzzzz' ignored; impasse --help lists the known ones");
  EXPECT_EQ(only_complaint("order=yes"),
            "wrong value 'yes' for option 'order'; expected on|off|all; using 'on'");
  EXPECT_EQ(only_complaint("exit_code=300"),
            "wrong value '300' for option 'exit_code'; expected a number in 0..255; using '0'");
  EXPECT_EQ(
      only_complaint("wait=soon"),
      "wrong value 'soon' for option 'wait'; expected a duration such as 250ms, 10s, 5m or 1h; "
      "using '10s'");
  EXPECT_EQ(
      only_complaint("on_deadlock"),
      "option 'on_deadlock' has no value; expected on_deadlock=report|abort|exit; using 'report'");
  EXPECT_EQ(only_complaint("dir="),
            "wrong value '' for option 'dir'; expected at most 1023 bytes: PATH; using '.'");
}

TEST(Options, TextsAreBounded) {
  EXPECT_EQ(silent("dir=" + std::string(kTextBytes - 1, 'x')).dir.view().size(), kTextBytes - 1);
  Complaints complaints;
  EXPECT_EQ(parse("dir=" + std::string(kTextBytes, 'x'), complaints).dir.view(), ".");
  EXPECT_EQ(complaints.size(), 1u);
  EXPECT_LE(complaints[0].size(), Complaints::kLineBytes);
}

TEST(Options, ComplaintsAreBoundedAndPrintable) {
  Complaints complaints;
  std::string many;
  for (int i = 0; i < 20; ++i) many += "qqqqqq\x1b[31m\x07=1 ";
  parse(many, complaints);
  EXPECT_EQ(complaints.size(), Complaints::kMost);
  EXPECT_EQ(complaints.lost(), 20 - Complaints::kMost);
  for (const char c : complaints[0]) EXPECT_GE(static_cast<unsigned char>(c), 0x20);
}

TEST(Options, NoBytesCanDoHarm) {
  std::mt19937 random(7);
  // The final 0 is one of them.
  constexpr char kAlphabet[] = "=\" ,:+.\nwaitdirorderonly_exit_code0123456789smh\xff\x80";
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 60, ' ');
    for (char& c : text) c = kAlphabet[random() % sizeof kAlphabet];
    Complaints complaints;
    const Options options = parse(text, complaints);
    ASSERT_FALSE(options.dir.view().empty());
    ASSERT_GT(options.wait.ns, 0u);
    ASSERT_LE(options.exit_code, 255u);
    ASSERT_EQ(options.dir.c_str()[options.dir.view().size()], '\0');
  }
}

TEST(Options, OnlyNamesExecutables) {
  EXPECT_TRUE(watches(silent(""), "anything"));
  EXPECT_TRUE(watches(silent("only=a+bc"), "bc"));
  EXPECT_FALSE(watches(silent("only=a+bc"), "b"));
  EXPECT_FALSE(watches(silent("only=a+bc"), ""));
  EXPECT_TRUE(watches(silent("only=g++"), "g++"));
  EXPECT_TRUE(watches(silent("only=cc:g++"), "g++"));
  EXPECT_FALSE(watches(silent("only=cc:g++"), "g"));
}

TEST(NearestName, Distances) {
  EXPECT_EQ(edit_distance("", ""), 0u);
  EXPECT_EQ(edit_distance("wait", "wait"), 0u);
  EXPECT_EQ(edit_distance("wiat", "wait"), 1u);
  EXPECT_EQ(edit_distance("", "dir"), 3u);
  EXPECT_EQ(edit_distance("ordr", "order"), 1u);
  EXPECT_EQ(edit_distance("kitten", "sitting"), 3u);
  EXPECT_EQ(edit_distance(std::string(100, 'a'), "a"), 100u);
}

// The plain recursive definition.
std::size_t naive_distance(std::string_view a, std::string_view b) {
  if (a.empty() || b.empty()) return a.size() + b.size();
  std::size_t best = naive_distance(a.substr(1), b.substr(1)) + (a[0] != b[0]);
  best = std::min(best, naive_distance(a.substr(1), b) + 1);
  best = std::min(best, naive_distance(a, b.substr(1)) + 1);
  if (a.size() > 1 && b.size() > 1 && a[0] == b[1] && a[1] == b[0]) {
    best = std::min(best, naive_distance(a.substr(2), b.substr(2)) + 1);
  }
  return best;
}

TEST(NearestName, AgreesWithItsDefinition) {
  std::mt19937 random(11);
  const auto word = [&] {
    std::string text(random() % 7, 'a');
    for (char& c : text) c = static_cast<char>('a' + random() % 3);
    return text;
  };
  for (int round = 0; round < 2'000; ++round) {
    const std::string a = word();
    const std::string b = word();
    ASSERT_EQ(edit_distance(a, b), naive_distance(a, b)) << a << " " << b;
  }
}

std::string rendered(void (*render)(TextSink)) {
  std::string text;
  render({[](void* to, std::string_view piece) { static_cast<std::string*>(to)->append(piece); },
          &text});
  return text;
}

TEST(OptionsTable, HelpNamesEveryOptionAndFitsTheScreen) {
  const std::string help = rendered([](TextSink sink) { render_help("--", sink); });
  for (const OptionRow& row : option_rows()) {
    EXPECT_NE(help.find("  --" + std::string(row.name) + "="), std::string::npos) << row.name;
  }
  for (std::size_t start = 0; start < help.size();) {
    const std::size_t end = help.find('\n', start);
    ASSERT_NE(end, std::string::npos);
    EXPECT_LE(end - start, 80u) << help.substr(start, end - start);
    start = end + 1;
  }
}

TEST(OptionsTable, MarkdownHasOneRowOfFourCellsPerOption) {
  const std::string table = rendered(render_markdown);
  std::size_t rows = 0;
  for (std::size_t start = 0; start < table.size();) {
    const std::size_t end = table.find('\n', start);
    ASSERT_NE(end, std::string::npos);
    int bars = 0;
    for (std::size_t i = start; i < end; ++i)
      bars += table[i] == '|' && (i == 0 || table[i - 1] != '\\');
    EXPECT_EQ(bars, 5) << table.substr(start, end - start);
    ++rows;
    start = end + 1;
  }
  EXPECT_EQ(rows, option_rows().size() + 2);
}

}  // namespace
}  // namespace impasse
