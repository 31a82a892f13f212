#include "symbolize/debug_search.h"

#include <filesystem>
#include <system_error>

#include "symbolize/file_identity.h"

namespace impasse::symbolize {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 10'000;  // of one directory
constexpr const char* kSystemDirectory = "/usr/lib/debug";

std::string id_path(const std::string& directory, const std::string& build_id) {
  if (build_id.size() < 3) return {};
  return directory + "/.build-id/" + build_id.substr(0, 2) + "/" + build_id.substr(2) + ".debug";
}

bool is_file(const std::string& path) {
  std::error_code error;
  return !path.empty() && fs::is_regular_file(path, error);
}

}  // namespace

DebugSearch::DebugSearch(const std::vector<std::string>& directories) : directories_(directories) {
  for (const std::string& directory : directories_) look_into(directory);
}

void DebugSearch::look_into(const std::string& directory) {
  std::error_code error;
  fs::directory_iterator entries(directory, error);
  if (error) {
    complaints_.push_back(directory + " cannot be searched: " + error.message() + ".");
    return;
  }
  std::size_t seen = 0;
  for (; entries != fs::directory_iterator() && seen < kMostFiles;
       entries.increment(error), ++seen) {
    const std::string path = entries->path().string();
    if (error || !is_file(path)) continue;
    const FileIdentity identity = file_identity(path.c_str());
    if (!identity.elf) continue;
    by_name_.emplace(entries->path().filename().string(), path);
    if (identity.build_id.empty()) continue;
    by_build_id_.emplace(identity.build_id, File{path, identity.has_debug_information});
  }
}

bool DebugSearch::usable(const std::string& path, const std::string& build_id) {
  if (!is_file(path)) return false;
  const FileIdentity identity = file_identity(path.c_str());
  if (!identity.elf) return false;
  if (build_id.empty() || identity.build_id == build_id) return true;
  complaints_.push_back(path + " is not the file that ran: its build-id is " +
                        (identity.build_id.empty() ? "missing" : identity.build_id) + ", not " +
                        build_id + ". It is not used.");
  return false;
}

FoundFiles DebugSearch::find(const std::string& path, const std::string& build_id) {
  FoundFiles found;
  if (usable(path, build_id)) found.main = path;
  if (!found.main.empty() && file_identity(path.c_str()).has_debug_information) return found;
  for (const std::string& directory : directories_) {
    const std::string by_id = id_path(directory, build_id);
    if (found.debug.empty() && usable(by_id, build_id)) found.debug = by_id;
  }
  const auto [first, last] = by_build_id_.equal_range(build_id);
  for (auto at = first; at != last && found.debug.empty(); ++at) {
    const File& file = at->second;
    if (file.has_debug_information) found.debug = file.path;
    if (found.main.empty()) found.main = file.path;
  }
  if (found.debug.empty()) {
    const std::string by_id = id_path(kSystemDirectory, build_id);
    if (usable(by_id, build_id)) found.debug = by_id;
  }
  // A file of the right name that was of no use: whoever put it there wants to know.
  if (found.debug.empty() && !build_id.empty()) {
    const std::string name = fs::path(path).filename().string();
    for (const std::string& other : {name, name + ".debug"}) {
      const auto [begin, end] = by_name_.equal_range(other);
      for (auto at = begin; at != end; ++at) usable(at->second, build_id);
    }
  }
  return found;
}

}  // namespace impasse::symbolize
