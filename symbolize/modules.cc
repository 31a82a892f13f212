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

Modules Modules::from_maps(std::string_view maps) {
  Modules result;
  std::string_view path;  // of the module that the last lines belonged to
  std::uint64_t last_offset = 0;
  while (!maps.empty()) {
    MapsLine line;
    if (!parse_maps_line(take_until(maps, '\n'), line) || line.path.empty()) continue;
    const bool file = line.path.front() == '/';
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
      result.modules_.push_back(std::move(module));
    }
    path = line.path;
    last_offset = line.offset;
    result.modules_.back().end = line.end;
    result.ranges_.push_back({line.start, line.end, result.modules_.size() - 1});
  }
  std::sort(result.ranges_.begin(), result.ranges_.end(),
            [](const Range& a, const Range& b) { return a.start < b.start; });
  return result;
}

std::optional<Place> Modules::find(std::uint64_t address) const {
  const auto after = std::upper_bound(ranges_.begin(), ranges_.end(), address,
                                      [](std::uint64_t a, const Range& r) { return a < r.start; });
  if (after == ranges_.begin()) return std::nullopt;
  const Range& range = *std::prev(after);
  const Module& module = modules_[range.module];
  if (address >= range.end || address < module.base) return std::nullopt;
  return Place{&module, address - module.base};
}

}  // namespace impasse::symbolize
