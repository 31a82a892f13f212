#include "witness/left_ledgers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "system/call_filter.h"

namespace impasse::witness {
namespace {

constexpr std::string_view kPrefix = "impasse.";
constexpr std::size_t kMostListed = 4096;

class Directory {
 public:
  explicit Directory(const std::string& path)
      : fd_(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {}
  ~Directory() {
    if (fd_ >= 0) close(fd_);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  int fd() const { return fd_; }

 private:
  int fd_;
};

struct Left {
  std::string name;
  std::pair<std::int64_t, std::int64_t> made;
  std::uint64_t bytes = 0;
};

// As getdents64() has them: number, offset, length of the entry, kind, name.
constexpr std::size_t kLengthAt = 16;
constexpr std::size_t kNameAt = 19;

std::vector<std::string> names_in(int directory, std::string_view ending) {
  std::vector<std::string> names;
  std::array<char, 8192> entries;
  while (names.size() < kMostListed) {
    const long size = syscall(SYS_getdents64, directory, entries.data(), entries.size());
    if (size <= 0) break;
    const std::string_view read(entries.data(), static_cast<std::size_t>(size));
    for (std::size_t at = 0; at + kNameAt < read.size();) {
      std::uint16_t length = 0;
      std::memcpy(&length, read.data() + at + kLengthAt, sizeof length);
      if (length <= kNameAt || length > read.size() - at) return names;
      const char* const text = read.data() + at + kNameAt;
      const std::string_view name(text, strnlen(text, length - kNameAt));
      if (name.starts_with(kPrefix) && name.ends_with(ending)) names.emplace_back(name);
      at += length;
    }
  }
  return names;
}

// 0: its name is none of a ledger.
pid_t owner(std::string_view name, std::string_view ending) {
  if (name.size() <= kPrefix.size() + ending.size()) return 0;
  const std::string_view number =
      name.substr(kPrefix.size(), name.size() - kPrefix.size() - ending.size());
  pid_t pid = 0;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), pid);
  return error == std::errc() && end == number.data() + number.size() && pid > 0 ? pid : 0;
}

bool is_gone(pid_t pid) {
  return kill(pid, 0) != 0 && errno == ESRCH;
}

std::vector<Left> left_in(int directory, std::string_view ending,
                          const std::vector<std::string>& names) {
  std::vector<Left> left;
  for (const std::string& name : names) {
    const pid_t pid = owner(name, ending);
    if (pid == 0 || !is_gone(pid)) continue;
    struct stat facts {};
    if (fstatat(directory, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (!S_ISREG(facts.st_mode) || facts.st_uid != geteuid()) continue;
    left.push_back({name,
                    {facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec},
                    static_cast<std::uint64_t>(facts.st_blocks) * 512});
  }
  return left;
}

bool may_look_and_remove() {
  return system::survives(SYS_getdents64, ~0UL, 0, 0) &&
         system::survives(SYS_kill, INT_MAX, 0, 0) && system::survives(SYS_unlinkat, ~0UL, 0, 0);
}

}  // namespace

void remove_old_ledgers(const char* own) {
  const std::string_view path(own == nullptr ? "" : own);
  const std::size_t slash = path.rfind('/');
  const std::size_t dot = path.rfind('.');
  if (slash == path.npos || dot == path.npos || dot < slash) return;
  const std::string_view ending = path.substr(dot);
  // Without /proc nobody knows whose numbers these are.
  if (ending == ".0" || !may_look_and_remove()) return;

  const Directory directory(std::string(path.substr(0, slash + 1)));
  if (directory.fd() < 0) return;
  const std::vector<std::string> names = names_in(directory.fd(), ending);
  if (names.size() < 3) return;  // our own, and the newest
  std::vector<Left> left = left_in(directory.fd(), ending, names);
  std::sort(left.begin(), left.end(), [](const Left& a, const Left& b) { return a.made > b.made; });
  std::uint64_t bytes = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    bytes += left[i].bytes;
    if (i != 0 && (i >= kMostLedgersLeft || bytes > kMostBytesLeft))
      unlinkat(directory.fd(), left[i].name.c_str(), 0);
  }
}

}  // namespace impasse::witness
