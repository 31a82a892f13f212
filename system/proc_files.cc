#include "system/proc_files.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <string_view>

#include "system/directory.h"

namespace impasse::system {
namespace {

constexpr std::size_t kLinkBytes = 4096;
constexpr std::size_t kGrowth = std::size_t{32} << 10;

class Path {
 public:
  Path(std::uint32_t pid, const char* name) {
    snprintf(text_.data(), text_.size(), "/proc/%s/%s", process(pid), name);
  }
  Path(std::uint32_t pid, std::uint32_t tid, const char* name) {
    snprintf(text_.data(), text_.size(), "/proc/%s/task/%u/%s", process(pid), tid, name);
  }
  const char* text() const { return text_.data(); }

 private:
  const char* process(std::uint32_t pid) {
    if (pid == 0) return "self";
    snprintf(number_.data(), number_.size(), "%u", pid);
    return number_.data();
  }

  std::array<char, 16> number_{};
  std::array<char, 96> text_{};
};

class File {
 public:
  explicit File(const char* path) {
    do {
      fd_ = open(path, O_RDONLY | O_CLOEXEC);
    } while (fd_ < 0 && errno == EINTR);
    error_ = fd_ < 0 ? errno : 0;
  }
  ~File() {
    if (fd_ >= 0) close(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int fd() const { return fd_; }
  int error() const { return error_; }

  // Up to the end of the file or of the room.
  std::size_t read(char* into, std::size_t room) {
    std::size_t size = 0;
    while (error_ == 0 && size < room) {
      const ssize_t n = ::read(fd_, into + size, room - size);
      if (n == 0) break;
      if (n > 0) {
        size += static_cast<std::size_t>(n);
      } else if (errno != EINTR) {
        error_ = errno;
      }
    }
    return size;
  }

 private:
  int fd_ = -1;
  int error_ = 0;
};

int read_file(const Path& path, char* into, std::size_t room, std::size_t& size) {
  File file(path.text());
  size = file.read(into, room);
  return file.error();
}

}  // namespace

int ProcFiles::read(const char* name, char* into, std::size_t room, std::size_t& size) const {
  return read_file(Path(pid_, name), into, room, size);
}

int ProcFiles::read(std::uint32_t tid, const char* name, char* into, std::size_t room,
                    std::size_t& size) const {
  return read_file(Path(pid_, tid, name), into, room, size);
}

int ProcFiles::read(std::uint32_t tid, const char* name, std::string& into,
                    std::size_t most) const {
  into.clear();
  File file(Path(pid_, tid, name).text());
  while (file.error() == 0 && into.size() < most) {
    const std::size_t before = into.size();
    const std::size_t room = std::min(kGrowth, most - before);
    into.resize(before + room);
    const std::size_t size = file.read(into.data() + before, room);
    into.resize(before + size);
    if (size < room) break;
  }
  return file.error();
}

int ProcFiles::link(std::uint32_t tid, const char* name, std::string& into) const {
  std::array<char, kLinkBytes> target;
  const ssize_t size = readlink(Path(pid_, tid, name).text(), target.data(), target.size());
  if (size < 0) {
    into.clear();
    return errno;
  }
  into.assign(target.data(), static_cast<std::size_t>(size));
  return 0;
}

int ProcFiles::tasks(std::vector<std::uint32_t>& tids, std::size_t most, bool& more) const {
  tids.clear();
  more = false;
  Directory directory(Path(pid_, "task").text());
  for (std::string_view name; directory.next(name);) {
    const char* const end = name.data() + name.size();
    std::uint32_t tid = 0;
    const auto parsed = std::from_chars(name.data(), end, tid);
    if (parsed.ec != std::errc() || parsed.ptr != end) continue;  // "." and ".."
    if (tids.size() == most) {
      more = true;
      return 0;
    }
    tids.push_back(tid);
  }
  return directory.error();
}

}  // namespace impasse::system
