#include "symbolize/modules.h"

#include <algorithm>
#include <charconv>

namespace impasse::symbolize {
namespace {

constexpr std::string_view kDeleted = " (deleted)";

// The text up to the next `end`, which is taken off as well.
std::string_view take_until(std::string_view& rest, char end) {
  const std::size_t at = rest.find(end);
  const std::string_view taken = rest.substr(0, at);
  rest.remove_prefix(at == std::string_view::npos ? rest.size() : at + 1);
  return taken;
}

bool number(std::string_view text, int base, std::uint64_t& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

// The kernel writes a newline in a path as "\012" and nothing else specially.
std::string plain_path(std::string_view written) {
  std::string path;
  for (std::size_t i = 0; i < written.size(); ++i) {
    if (written.substr(i, 4) == "\\012") {
      path += '\n';
      i += 3;
    } else {
      path += written[i];
    }
  }
  return path;
}

// "fe:01" as one number.
std::uint64_t device_number(std::string_view written) {
  std::uint64_t major = 0;
  std::uint64_t minor = 0;
  if (!number(take_until(written, ':'), 16, major) || !number(written, 16, minor)) return 0;
  return major << 32 | minor;
}

}  // namespace

bool parse_maps_line(std::string_view line, MapsLine& parsed) {
  parsed = {};
  if (!number(take_until(line, '-'), 16, parsed.start) ||
      !number(take_until(line, ' '), 16, parsed.end) || parsed.start >= parsed.end) {
    return false;
  }
  parsed.permissions = take_until(line, ' ');
  if (parsed.permissions.size() != 4 || !number(take_until(line, ' '), 16, parsed.offset)) {
    return false;
  }
  parsed.device = take_until(line, ' ');
  if (!number(take_until(line, ' '), 10, parsed.inode)) return false;
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  parsed.path = line;
  return true;
}

std::string_view Module::name() const {
  return std::string_view(path).substr(path.rfind('/') + 1);
}

bool Module::same_file(const Module& other) const {
  return base == other.base && end == other.end && inode == other.inode && device == other.device &&
         deleted == other.deleted && path == other.path;
}

Modules Modules::from_maps(std::string_view maps) {
  Modules result;
  std::string_view path;  // of the module that the last lines belonged to
  std::uint64_t last_offset = 0;
  while (!maps.empty()) {
    MapsLine line;
    if (!parse_maps_line(take_until(maps, '\n'), line)) continue;
    Mapping& mapping = result.mappings_.emplace_back();
    mapping.start = line.start;
    mapping.end = line.end;
    mapping.readable = line.permissions[0] == 'r';
    mapping.writable = line.permissions[1] == 'w';
    mapping.executable = line.permissions[2] == 'x';
    const bool file = line.path.starts_with('/');
    // [vdso] has code, the other bracketed areas ([heap], [stack], [anon:…]) are memory.
    if (!file && line.path != "[vdso]") continue;
    // The parts of one file follow each other with growing offsets, memory in between or not; a
    // second copy of the file begins again at its start.
    if (line.path != path || line.offset < last_offset) {
      Module module;
      std::string_view written = line.path;
      module.deleted = written.ends_with(kDeleted);
      if (module.deleted) written.remove_suffix(kDeleted.size());
      module.path = plain_path(written);
      module.base = line.start;
      module.device = device_number(line.device);
      module.inode = line.inode;
      module.from_its_start = line.offset == 0;
      result.modules_.push_back(std::move(module));
    }
    path = line.path;
    last_offset = line.offset;
    Module& module = result.modules_.back();
    module.end = line.end;
    module.executable |= mapping.executable;
    mapping.module = result.modules_.size() - 1;
  }
  result.sort_mappings();
  return result;
}

void Modules::sort_mappings() {
  std::sort(mappings_.begin(), mappings_.end(),
            [](const Mapping& a, const Mapping& b) { return a.start < b.start; });
  // A program may have moved its own code to large pages: code in no file, between two parts of
  // one. It is that file's code as before.
  std::size_t before = kNoModule;
  for (std::size_t i = 0; i < mappings_.size(); ++i) {
    Mapping& mapping = mappings_[i];
    const bool between = mapping.module == kNoModule && mapping.executable && before != kNoModule &&
                         mapping.end <= modules_[before].end;
    if (between) {
      mapping.module = before;
      modules_[before].executable = true;
    }
    before = mapping.module != kNoModule ? mapping.module : before;
  }
}

const Mapping* Modules::mapping(std::uint64_t address) const {
  const auto after =
      std::upper_bound(mappings_.begin(), mappings_.end(), address,
                       [](std::uint64_t a, const Mapping& m) { return a < m.start; });
  if (after == mappings_.begin()) return nullptr;
  const Mapping& found = *std::prev(after);
  return address < found.end ? &found : nullptr;
}

std::optional<Place> Modules::find(std::uint64_t address) const {
  const Mapping* const found = mapping(address);
  if (found == nullptr || found->module == kNoModule) return std::nullopt;
  const Module& module = modules_[found->module];
  if (address < module.base) return std::nullopt;
  return Place{&module, address - module.base};
}

bool Modules::same_files(const Modules& other) const {
  return std::equal(modules_.begin(), modules_.end(), other.modules_.begin(), other.modules_.end(),
                    [](const Module& a, const Module& b) { return a.same_file(b); });
}

}  // namespace impasse::symbolize
