// The memory of a process as the kernel lists it: its mappings, the files that are mapped, and
// which of them an address belongs to.
//
// Promises: a pure function of the text of /proc/PID/maps; any text is accepted, lines that make no
// sense are skipped. Cost: one pass over the text; a lookup is a binary search.
// What only the mapped bytes tell (bias, build-id, unwind table) is filled in by read_image().
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace impasse::symbolize {

// The sorted table of a module's .eh_frame_hdr: where in memory, how many entries. 0: none.
struct UnwindTable {
  std::uint64_t header = 0;  // its entries count from here
  std::uint64_t entries = 0;
  std::uint64_t count = 0;
};

// One file as the loader mapped it: its lowest address is what its own addresses count from.
struct Module {
  std::string path;
  bool deleted = false;  // the file was removed or replaced since
  std::uint64_t base = 0;
  std::uint64_t end = 0;
  std::uint64_t device = 0;
  std::uint64_t inode = 0;
  bool from_its_start = false;  // what is at base is the start of the file
  bool executable = false;      // a part of it is code

  // From its mapped headers; see read_image().
  bool image_read = false;
  std::uint64_t bias = 0;  // what is added to an address of the file
  std::string build_id;    // hexadecimal; empty: none
  UnwindTable unwind;

  std::string_view name() const;  // without the directories
  // The same file in the same place: what was read from its image holds.
  bool same_file(const Module& other) const;
};

struct Place {
  const Module* module = nullptr;
  std::uint64_t offset = 0;  // from the module's base
};

inline constexpr std::size_t kNoModule = ~std::size_t{0};

// One line of the kernel's list.
struct Mapping {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  bool readable = false;
  bool writable = false;
  bool executable = false;
  std::size_t module = kNoModule;  // in all()
};

class Modules {
 public:
  Modules() = default;
  static Modules from_maps(std::string_view maps);

  const std::vector<Module>& all() const { return modules_; }
  std::vector<Module>& all() { return modules_; }
  bool empty() const { return modules_.empty(); }
  // Nothing when the address is in no file: memory of its own, or code that was made at run time.
  std::optional<Place> find(std::uint64_t address) const;

  const std::vector<Mapping>& mappings() const { return mappings_; }
  const Mapping* mapping(std::uint64_t address) const;  // nullptr: nothing is mapped there
  void forget_mappings() { std::vector<Mapping>().swap(mappings_); }

  // The same files in the same places.
  bool same_files(const Modules& other) const;

 private:
  void sort_mappings();

  std::vector<Module> modules_;
  std::vector<Mapping> mappings_;  // by address
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
