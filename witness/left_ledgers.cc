#include "witness/left_ledgers.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <climits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "system/call_filter.h"
#include "system/directory.h"

namespace impasse::witness {
namespace {

constexpr std::string_view kPrefix = "impasse.";
constexpr std::size_t kMostListed = 4096;

struct Left {
  std::string name;
  std::pair<std::int64_t, std::int64_t> made;
  std::uint64_t bytes = 0;
};

std::vector<std::string> names_in(system::Directory& directory, std::string_view ending) {
  std::vector<std::string> names;
  for (std::string_view name; names.size() < kMostListed && directory.next(name);) {
    if (name.starts_with(kPrefix) && name.ends_with(ending)) names.emplace_back(name);
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

  system::Directory directory(std::string(path.substr(0, slash + 1)).c_str());
  if (directory.fd() < 0) return;
  const std::vector<std::string> names = names_in(directory, ending);
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
