#include "system/directory.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>

namespace impasse::system {
namespace {

// As the kernel lays it out.
struct Entry {
  std::uint64_t inode;
  std::int64_t offset;
  std::uint16_t bytes;
  unsigned char type;
  char name[1];
};
constexpr std::size_t kBytesAt = offsetof(Entry, bytes);
constexpr std::size_t kNameAt = offsetof(Entry, name);

}  // namespace

Directory::Directory(const char* path) {
  do {
    fd_ = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  } while (fd_ < 0 && errno == EINTR);
  if (fd_ < 0) error_ = errno;
}

Directory::~Directory() {
  if (fd_ >= 0) close(fd_);
}

bool Directory::read() {
  at_ = size_ = 0;
  long size = 0;
  do {
    size = syscall(SYS_getdents64, fd_, entries_.data(), entries_.size());
  } while (size < 0 && errno == EINTR);
  if (size < 0) error_ = errno;
  if (size > 0) size_ = static_cast<std::size_t>(size);
  return size > 0;
}

bool Directory::next(std::string_view& name) {
  if (error_ != 0) return false;
  if (at_ + kNameAt >= size_ && !read()) return false;
  const char* const entry = entries_.data() + at_;
  std::uint16_t bytes = 0;
  std::memcpy(&bytes, entry + kBytesAt, sizeof bytes);
  if (bytes <= kNameAt || bytes > size_ - at_) {
    error_ = EIO;
    return false;
  }
  name = {entry + kNameAt, strnlen(entry + kNameAt, bytes - kNameAt)};
  at_ += bytes;
  return true;
}

}  // namespace impasse::system
