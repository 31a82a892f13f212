// The text of every scene, as a reader gets it. IMPASSE_WRITE_GOLDEN=1 writes the files anew; then
// they are to be read, each of them, before they are believed.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "report/report_text.h"
#include "report_scene.h"

namespace impasse::report {
namespace {

std::string contents(const std::string& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

class Golden : public testing::TestWithParam<std::size_t> {};

TEST_P(Golden, Text) {
  const auto scenes = all_scenes();
  const auto& [name, report] = scenes[GetParam()];
  const std::string text =
      "(on standard error)\n" + report_line(report) + "\n\n" + report_text(report, {});
  const std::string path = IMPASSE_GOLDEN + std::string("/") + name + ".txt";
  if (std::getenv("IMPASSE_WRITE_GOLDEN") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  EXPECT_EQ(text, contents(path)) << path;
}

INSTANTIATE_TEST_SUITE_P(All, Golden, testing::Range<std::size_t>(0, all_scenes().size()),
                         [](const auto& instance) { return all_scenes()[instance.param].first; });

}  // namespace
}  // namespace impasse::report
