// The files of /proc about one process, read without stdio and without a lock.
//
// Promises: every read is bounded; EINTR is not seen by callers; no descriptor stays open. A
// process or thread that is gone is an error number (ENOENT, ESRCH), never more.
// Cost: 7 to 15 µs for a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace impasse::system {

class ProcFiles {
 public:
  // 0: the calling process itself.
  explicit ProcFiles(std::uint32_t pid = 0) : pid_(pid) {}

  std::uint32_t pid() const { return pid_; }
  bool ourselves() const { return pid_ == 0; }

  // Of the process ("status") or of one thread ("syscall"). 0 or an error number. A file that is
  // longer than the room is cut off: `size` is the room then.
  int read(const char* name, char* into, std::size_t room, std::size_t& size) const;
  int read(std::uint32_t tid, const char* name, char* into, std::size_t room,
           std::size_t& size) const;
  int read(std::uint32_t tid, const char* name, std::string& into, std::size_t most) const;

  // What a symbolic link says; nothing is opened and nothing is followed.
  int link(std::uint32_t tid, const char* name, std::string& into) const;

  // The threads that there are, in no order. At most `most`; `more` says that there were others.
  int tasks(std::vector<std::uint32_t>& tids, std::size_t most, bool& more) const;

 private:
  std::uint32_t pid_;
};

}  // namespace impasse::system
