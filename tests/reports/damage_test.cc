// Reading what is no report: it is refused with a sentence that names the place, or read as far as
// it makes sense; whatever the bytes, nothing worse comes of it.
#include <gtest/gtest.h>

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "report/report_json.h"
#include "report/report_reader.h"
#include "scenes.h"
#include "whole_text.h"

namespace impasse::report {
namespace {

class Damage : public testing::Test {
 protected:
  static std::string problem_of(const nlohmann::ordered_json& json) {
    std::string problem;
    const Report report = read_report(json.dump(), problem);
    if (problem.empty()) (void)text_of(report);
    return problem;
  }
  void replace_every_value(const Report& report);
  nlohmann::ordered_json json_ = nlohmann::ordered_json::parse(report_json(abba_with_crowd()));
};

TEST_F(Damage, SaysWhatIsWrongAndWhere) {
  auto damaged = json_;
  damaged["threads"][1]["wait"]["kind"] = 7;
  EXPECT_EQ(problem_of(damaged), "threads[1].wait.kind is no text");
  damaged = json_;
  damaged["threads"][1]["tid"] = std::uint64_t{1} << 32;
  EXPECT_EQ(problem_of(damaged), "threads[1].tid is too big");
  damaged["threads"][1]["tid"] = 1e30;
  EXPECT_EQ(problem_of(damaged), "threads[1].tid is too big");
  damaged = json_;
  damaged["finding"]["cycle"][0]["waiter"] = 500;
  EXPECT_EQ(problem_of(damaged), "finding.cycle[0].waiter points to what is not there");
  damaged = json_;
  damaged["threads"][0].erase("tid");
  EXPECT_EQ(problem_of(damaged), "threads[0] has no \"tid\"");
  damaged = json_;
  damaged["process"]["pid"] = -1;
  EXPECT_EQ(problem_of(damaged), "process.pid is no number without sign");
  damaged["process"]["pid"] = 5'000'000'000;
  EXPECT_EQ(problem_of(damaged), "process.pid is too big");
  damaged = json_;
  damaged["schema"] = "impasse/2";
  EXPECT_EQ(problem_of(damaged),
            "its schema is impasse/2, and this version of impasse reads impasse/1");
  damaged = json_;
  damaged["locks"][0]["address"] = "55d0";
  EXPECT_EQ(problem_of(damaged), "locks[0].address is no address");
  damaged = json_;
  damaged["locks"] = 3;
  EXPECT_EQ(problem_of(damaged), "locks is no list");
  std::string problem;
  read_report("", problem);
  EXPECT_EQ(problem, "it is no JSON, or not all of it is there");
  read_report("[]", problem);
  EXPECT_EQ(problem, "it is no object");
  read_report(std::string(1'000'000, '['), problem);
  EXPECT_NE(problem, "");
}

TEST_F(Damage, WordsOfALaterVersionAreSomethingElse) {
  json_["finding"]["kind"] = "bad_weather";
  json_["finding"]["cycle"][0]["reason"] = "rain";
  json_["threads"][1]["wait"]["kind"] = "umbrella";
  json_["locks"][0]["kind"] = "turnstile";
  json_["stacks"][0]["frames"][0]["grade"] = "felt";
  std::string problem;
  const Report report = read_report(json_.dump(), problem);
  EXPECT_EQ(problem, "");
  EXPECT_EQ(report.finding.foreign_kind, "bad_weather");
  const std::string text = text_of(report);
  EXPECT_NE(text.find("of the kind \"bad_weather\", which this version of impasse does not know"),
            std::string::npos);
  for (const char* const word : {"rain", "umbrella", "turnstile", "felt"}) {
    EXPECT_NE(text.find("\"" + std::string(word) + "\""), std::string::npos) << word;
  }
  EXPECT_EQ(nlohmann::json::parse(report_json(report))["finding"]["kind"], "bad_weather");
}

TEST_F(Damage, KeysOfALaterVersionAreIgnored) {
  json_["finding"]["severity"] = "high";
  json_["threads"][0]["cpu"] = 3;
  EXPECT_EQ(problem_of(json_), "");
}

void paths_of(const nlohmann::ordered_json& json, const std::string& path,
              std::vector<nlohmann::ordered_json::json_pointer>& paths) {
  paths.emplace_back(path);
  std::size_t i = 0;
  for (const auto& [key, value] : json.items()) {
    if (++i > 3 && json.is_array()) break;
    if (value.is_structured()) {
      paths_of(value, path + "/" + key, paths);
    } else {
      paths.emplace_back(path + "/" + key);
    }
  }
}

// Every value replaced by every kind of wrong one, and taken away.
TEST_F(Damage, EveryValueReplaced) {
  replace_every_value(join_under_lock());
}

TEST_F(Damage, EveryValueOfAStuckGroupReplaced) {
  replace_every_value(crosswise_conditions());
}

void Damage::replace_every_value(const Report& report) {
  json_ = nlohmann::ordered_json::parse(report_json(report));
  std::vector<nlohmann::ordered_json::json_pointer> paths;
  paths_of(json_, "", paths);
  const std::vector<nlohmann::ordered_json> wrong = {nullptr,
                                                     true,
                                                     -1,
                                                     4'294'967'294U,
                                                     18'446'744'073'709'551'615U,
                                                     1.5,
                                                     "",
                                                     "0x",
                                                     "0xffffffffffffffff",
                                                     nlohmann::ordered_json::array(),
                                                     nlohmann::ordered_json::object(),
                                                     nlohmann::ordered_json::array({nullptr})};
  std::size_t refused = 0;
  for (const auto& path : paths) {
    for (const auto& value : wrong) {
      auto damaged = json_;
      damaged[path] = value;
      refused += problem_of(damaged).empty() ? 0U : 1U;
    }
  }
  EXPECT_GT(refused, paths.size() * 5);
}

TEST_F(Damage, BytesFlipped) {
  const std::string whole = report_json(readers_behind_writer());
  std::uint64_t random = 88172645463325252U;
  for (int i = 0; i < 400; ++i) {
    std::string bytes = whole;
    for (int j = 0; j < 3; ++j) {
      random ^= random << 13U;
      random ^= random >> 7U;
      random ^= random << 17U;
      bytes[random % bytes.size()] = static_cast<char>(random >> 32U);
    }
    if (i % 4 == 0) bytes.resize(random % bytes.size());
    std::string problem;
    const Report report = read_report(bytes, problem);
    if (problem.empty()) (void)text_of(report);
  }
}

TEST(Json, FewBytesDoNotBecomeManyWhenTheyAreRead) {
  auto json = nlohmann::json::parse(report_json(abba()));
  json["places"][0]["sources"] = nlohmann::json::array(
      {{{"function", std::string(4U << 20U, 'f')}, {"file", ""}, {"line", 0}}});
  const auto frame = nlohmann::json{{"place", 0}, {"grade", "exact"}, {"signal", false}};
  json["stacks"][0]["frames"] = nlohmann::json::array();
  for (int i = 0; i < 10'000; ++i) json["stacks"][0]["frames"].push_back(frame);
  std::string problem;
  read_report(json.dump(), problem);
  EXPECT_NE(problem.find("their names are too long"), std::string::npos) << problem;
}

}  // namespace
}  // namespace impasse::report
