// What a descriptor of a thread is, in words: "fd 12, tcp 127.0.0.1:51544 → 127.0.0.1:9443".
//
// Promises: reads symbolic links and the kernel's tables only. Nothing of the program's is opened
// or asked, because opening a FIFO or a device does something, and following a link into a network
// file system may never come back. Paths are the bytes of the file system: printers escape them.
// For one burst of questions: the tables of sockets are read once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "system/proc_files.h"
#include "system/sockets.h"

namespace impasse::system {

class Descriptors {
 public:
  explicit Descriptors(const ProcFiles& process) : process_(process), sockets_(process) {}

  // As that thread sees it: threads may have tables of their own.
  std::string words(std::uint32_t tid, int descriptor);
  // The same without its number.
  std::string target(std::uint32_t tid, int descriptor);
  // "epoll of 2 descriptors: fd 3, …; fd 4, …" for one that is an epoll.
  std::string epoll_words(std::uint32_t tid, int descriptor);

  static constexpr std::size_t kNamed = 3;  // more of them are only counted

 private:
  std::string link_words(std::uint32_t tid, int descriptor, const std::string& link);
  std::string inode_words(std::uint32_t tid, int descriptor, const std::string& name) const;
  std::string info(std::uint32_t tid, int descriptor) const;

  ProcFiles process_;
  Sockets sockets_;
};

}  // namespace impasse::system
