// The files that are mapped into a process, and which of them an address belongs to.
//
// Promises: a pure function of the text of /proc/PID/maps; any text is accepted, lines that make no
// sense are skipped. Cost: one pass over the text; a lookup is a binary search.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace impasse::symbolize {

// One file as the loader mapped it: its lowest address is what its own addresses count from.
struct Module {
  std::string path;
  bool deleted = false;  // the file was removed or replaced since
  std::uint64_t base = 0;
  std::uint64_t end = 0;

  std::string_view name() const;  // without the directories
};

struct Place {
  const Module* module = nullptr;
  std::uint64_t offset = 0;  // from the module's base
};

class Modules {
 public:
  Modules() = default;
  static Modules from_maps(std::string_view maps);

  const std::vector<Module>& all() const { return modules_; }
  bool empty() const { return modules_.empty(); }
  // Nothing when the address is in no file: memory of its own, or code that was made at run time.
  std::optional<Place> find(std::uint64_t address) const;

 private:
  struct Range {
    std::uint64_t start;
    std::uint64_t end;
    std::size_t module;
  };
  std::vector<Module> modules_;
  std::vector<Range> ranges_;  // by address
};

// One line of /proc/PID/maps. False: it is none.
struct MapsLine {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::string_view permissions;
  std::uint64_t offset = 0;
  std::string_view device;
  std::uint64_t inode = 0;
  std::string_view path;  // as it stands there: " (deleted)" may follow, a newline in it is "\012"
};
bool parse_maps_line(std::string_view line, MapsLine& parsed);

}  // namespace impasse::symbolize
