// Finds the files that tell about a module: the one that ran or an unstripped copy, and separate
// debug information.
//
// Promises: what is found has the module's build-id; what has another one is told as a complaint.
#pragma once

#include <map>
#include <string>
#include <vector>

namespace impasse::symbolize {

struct FoundFiles {
  std::string main;   // empty: none
  std::string debug;  // separate debug information; empty: none
};

class DebugSearch {
 public:
  // Reads the build-ids of the files in `directories`.
  explicit DebugSearch(const std::vector<std::string>& directories);

  // `build_id` is hexadecimal; empty: not known, and the file at `path` is taken as it is.
  FoundFiles find(const std::string& path, const std::string& build_id);

  const std::vector<std::string>& complaints() const { return complaints_; }

 private:
  struct File {
    std::string path;
    bool has_debug_information = false;
  };

  void look_into(const std::string& directory);
  bool usable(const std::string& path, const std::string& build_id);

  std::vector<std::string> directories_;
  std::multimap<std::string, File> by_build_id_;
  std::multimap<std::string, std::string> by_name_;  // every file, to say why it was not used
  std::vector<std::string> complaints_;
};

}  // namespace impasse::symbolize
