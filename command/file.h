// Files, opened and read without surprises: no terminal is taken over, no FIFO is waited for, sizes
// are bounded.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <string>
#include <utility>

namespace impasse::command {

class OpenFile {
 public:
  OpenFile() = default;
  explicit OpenFile(const std::string& path, int more_flags = 0)
      : fd_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | more_flags)),
        error_(fd_ < 0 ? errno : 0) {}
  ~OpenFile() {
    if (fd_ >= 0) close(fd_);
  }
  OpenFile(OpenFile&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), error_(std::exchange(other.error_, EBADF)) {}
  OpenFile& operator=(OpenFile&& other) noexcept {
    std::swap(fd_, other.fd_);
    std::swap(error_, other.error_);
    return *this;
  }

  explicit operator bool() const { return fd_ >= 0; }
  int fd() const { return fd_; }
  int error() const { return error_; }

 private:
  int fd_ = -1;
  int error_ = EBADF;
};

// The JSON of a report; what is as long as this is none.
inline constexpr std::size_t kLargestReport = std::size_t{256} << 20;

struct FileText {
  std::string text;
  int error = 0;  // 0: `text` is all of the file, or its first part where it is longer than allowed
};
FileText read_file(const std::string& path, std::size_t most = std::size_t{64} << 20);

}  // namespace impasse::command
