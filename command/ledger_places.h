// Where the ledger of a process is, and reading it there.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "command/file.h"
#include "command/process_view.h"
#include "detector/ledger_reader.h"

namespace impasse::command {

// A ledger file, read and never mapped: it may be cut while we look.
class LedgerFile final : public LedgerSource {
 public:
  LedgerFile() = default;
  explicit LedgerFile(const std::string& path, int more_flags = 0);

  // A sentence about what is wrong with the file as a file; empty: it can be read.
  const std::string& problem() const { return problem_; }
  explicit operator bool() const { return problem_.empty() && static_cast<bool>(file_); }
  const std::string& path() const { return path_; }
  int error() const { return error_; }
  std::uint64_t inode() const { return inode_; }

  bool read(std::uint64_t offset, void* buffer, std::size_t bytes) override;
  std::uint64_t size() override { return size_; }

 private:
  std::string path_;
  OpenFile file_;
  std::string problem_;
  int error_ = 0;
  std::uint64_t size_ = 0;
  std::uint64_t inode_ = 0;
};

// What the mappings of a process tell about impasse in it.
struct Mapped {
  bool library = false;
  std::string ledger_path;   // as the process sees it; empty: none is mapped
  std::string ledger_range;  // "START-END", as /proc/PID/map_files names it
  std::uint64_t ledger_inode = 0;
  bool ledger_deleted = false;
};
Mapped mapped_in(const ProcessView& process);

// The mapped ledger of a live process, through whichever way is open to us.
LedgerFile open_mapped(const ProcessView& process, const Mapped& mapped);

// Where ledgers are, by IMPASSE_OPTIONS of our own environment.
std::string ledger_directory();
// Ledgers of a process of this number in a directory, newest first.
std::vector<std::string> left_behind(const std::string& directory, pid_t pid);

// Whether this is the name of a ledger file of that process: impasse.PID.HEX.
bool is_ledger_name(std::string_view name, pid_t pid);

}  // namespace impasse::command
