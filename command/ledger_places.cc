#include "command/ledger_places.h"

#include <dirent.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "options/options.h"
#include "symbolize/modules.h"

namespace impasse::command {
namespace {

constexpr std::string_view kDeleted = " (deleted)";

std::string_view base_name(std::string_view path) {
  return path.substr(path.rfind('/') + 1);
}

}  // namespace

LedgerFile::LedgerFile(const std::string& path, int more_flags)
    : path_(path), file_(path, more_flags) {
  struct stat facts {};
  if (!file_) {
    error_ = file_.error();
    problem_ = "cannot read " + path + ": " + std::strerror(error_);
  } else if (fstat(file_.fd(), &facts) != 0) {
    error_ = errno;
    problem_ = "cannot read " + path + ": " + std::strerror(error_);
  } else if (S_ISDIR(facts.st_mode)) {
    problem_ = path + " is a directory, not a ledger";
  } else if (!S_ISREG(facts.st_mode)) {
    problem_ = path + " is not a file, so it is no ledger";
  } else {
    size_ = static_cast<std::uint64_t>(facts.st_size);
    inode_ = facts.st_ino;
  }
}

bool LedgerFile::read(std::uint64_t offset, void* buffer, std::size_t bytes) {
  auto* to = static_cast<char*>(buffer);
  while (bytes != 0) {
    if (offset > size_) return false;
    const ssize_t n = pread(file_.fd(), to, bytes, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    to += n;
    offset += static_cast<std::uint64_t>(n);
    bytes -= static_cast<std::size_t>(n);
  }
  return true;
}

bool is_ledger_name(std::string_view name, pid_t pid) {
  const std::string start = "impasse." + std::to_string(pid) + ".";
  if (!name.starts_with(start)) return false;
  name.remove_prefix(start.size());
  return !name.empty() && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Mapped mapped_in(const ProcessView& process) {
  Mapped mapped;
  for (std::string_view rest = process.maps; !rest.empty();) {
    const std::size_t end = rest.find('\n');
    const std::string_view text = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    symbolize::MapsLine line;
    if (!symbolize::parse_maps_line(text, line) || !line.path.starts_with('/')) continue;
    const bool deleted = line.path.ends_with(kDeleted);
    if (deleted) line.path.remove_suffix(kDeleted.size());
    const std::string_view name = base_name(line.path);
    if (name.starts_with("libimpasse") && name.find(".so") != std::string_view::npos) {
      mapped.library = true;
    }
    if (mapped.ledger_path.empty() && is_ledger_name(name, process.inner_pid)) {
      mapped.ledger_path = line.path;
      mapped.ledger_range = text.substr(0, text.find(' '));
      mapped.ledger_inode = line.inode;
      mapped.ledger_deleted = deleted;
    }
  }
  return mapped;
}

LedgerFile open_mapped(const ProcessView& process, const Mapped& mapped) {
  const std::string proc = "/proc/" + std::to_string(process.pid);
  const std::string inside = proc + "/root" + mapped.ledger_path;
  std::vector<std::string> ways;
  if (has_other_mounts(process.pid)) {
    ways = {inside, mapped.ledger_path};
  } else {
    ways = {mapped.ledger_path, inside};
  }
  if (mapped.ledger_deleted) ways.clear();
  // Reaches a file whose name is gone too, but only for the privileged.
  ways.push_back(proc + "/map_files/" + mapped.ledger_range);

  LedgerFile first;
  for (std::size_t i = 0; i < ways.size(); ++i) {
    LedgerFile file(ways[i]);
    // The file of that name may be another one by now.
    if (file && file.inode() == mapped.ledger_inode) return file;
    if (i == 0) first = std::move(file);
  }
  return first;
}

std::string ledger_directory() {
  Complaints complaints;
  const char* text = std::getenv("IMPASSE_OPTIONS");
  const Options options = parse(text != nullptr ? text : "", complaints);
  return options.ledger.is("off") ? "/dev/shm" : options.ledger.c_str();
}

std::vector<std::string> left_behind(const std::string& directory, pid_t pid) {
  struct Found {
    std::string path;
    timespec when;
  };
  std::vector<Found> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(opendir(directory.c_str()), closedir);
  while (const dirent* entry = listing ? readdir(listing.get()) : nullptr) {
    if (!is_ledger_name(entry->d_name, pid)) continue;
    const std::string path = directory + "/" + entry->d_name;
    struct stat facts {};
    if (lstat(path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) continue;
    found.push_back({path, facts.st_mtim});
  }
  std::sort(found.begin(), found.end(), [](const Found& a, const Found& b) {
    return std::pair(a.when.tv_sec, a.when.tv_nsec) > std::pair(b.when.tv_sec, b.when.tv_nsec);
  });
  std::vector<std::string> paths;
  paths.reserve(found.size());
  for (Found& one : found) paths.push_back(std::move(one.path));
  return paths;
}

}  // namespace impasse::command
