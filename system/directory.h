// The names in a directory, one after the other; libc's readdir() would take the program's malloc.
//
// Promises: no allocation, no lock; EINTR is not seen by callers; an entry that the kernel cannot
// have written ends the walk. The descriptor is closed with the object.
// Cost: one system call for about 8 KiB of entries, which stand in the object itself.
#pragma once

#include <array>
#include <cstddef>
#include <string_view>

namespace impasse::system {

class Directory {
 public:
  explicit Directory(const char* path);
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  // Negative: it could not be opened.
  int fd() const { return fd_; }

  // "." and ".." among them. `name` is whole until the next call. False: there are no more, or it
  // cannot be read further.
  bool next(std::string_view& name);
  // Why it was not read to its end; 0: it was, so far.
  int error() const { return error_; }

 private:
  bool read();

  int fd_ = -1;
  int error_ = 0;
  std::size_t size_ = 0;  // of what was read
  std::size_t at_ = 0;    // where the next entry stands in it
  std::array<char, 8192> entries_;
};

}  // namespace impasse::system
