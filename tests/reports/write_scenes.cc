// write_scenes DIR: the JSON form of every scene, for tests that are not written in C++.
#include <fstream>
#include <string>

#include "report/report_json.h"
#include "report/report_text.h"
#include "scenes.h"

int main(int argc, char** argv) {
  using namespace impasse::report;
  if (argc != 2) return 2;
  auto scenes = all_scenes();
  scenes.emplace_back("empty", Report{});
  scenes.emplace_back("hostile", hostile_names());
  scenes.emplace_back("crowd", crowd_of_thousands(200, false));
  for (const auto& [name, report] : scenes) {
    const std::string path = std::string(argv[1]) + "/" + name;
    std::ofstream json(path + ".json");
    std::ofstream text(path + ".txt");
    json << report_json(report);
    text << report_text(report, {});
    if (!json.flush() || !text.flush()) return 1;
  }
  return 0;
}
