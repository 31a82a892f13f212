#include "system/proc_files.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstring>
#include <string_view>

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
  File(const char* path, int flags) {
    do {
      fd_ = open(path, flags | O_RDONLY | O_CLOEXEC);
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
  File file(path.text(), 0);
  size = file.read(into, room);
  return file.error();
}

// As the kernel lays it out; libc's readdir() would take the program's malloc.
struct DirectoryEntry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t bytes;
  unsigned char type;
  char name[1];
};
constexpr std::size_t kNameAt = offsetof(DirectoryEntry, name);

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
  File file(Path(pid_, tid, name).text(), 0);
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
  File directory(Path(pid_, "task").text(), O_DIRECTORY);
  if (directory.error() != 0) return directory.error();
  alignas(DirectoryEntry) std::array<char, 8192> entries;
  for (;;) {
    const long size = syscall(SYS_getdents64, directory.fd(), entries.data(), entries.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return errno;
    if (size == 0) return 0;
    const std::string_view read(entries.data(), static_cast<std::size_t>(size));
    for (std::size_t at = 0; at + kNameAt < read.size();) {
      std::uint16_t bytes = 0;
      std::memcpy(&bytes, read.data() + at + offsetof(DirectoryEntry, bytes), sizeof bytes);
      if (bytes <= kNameAt || bytes > read.size() - at) return EIO;
      const char* const name = read.data() + at + kNameAt;
      const char* const end = name + strnlen(name, bytes - kNameAt);
      at += bytes;
      std::uint32_t tid = 0;
      const auto parsed = std::from_chars(name, end, tid);
      if (parsed.ec != std::errc() || parsed.ptr != end) continue;  // "." and ".."
      if (tids.size() == most) {
        more = true;
        return 0;
      }
      tids.push_back(tid);
    }
  }
}

}  // namespace impasse::system
