// Sockets by inode, from the kernel's tables of a network namespace: what they are connected to.
//
// Promises: each table is read at most once, when it is first needed, and at most 4 MiB of it; no
// call on any socket. For one burst of questions: make a new one for the next.
// Cost: 10 to 30 µs a table, but 3 ms for tcp and for tcp6, each once and only where a socket is in
// no other; 10 ms for one of 4 MiB.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "system/proc_files.h"

namespace impasse::system {

struct SocketTableKind {
  const char* file;       // of /proc/PID/task/TID/net
  std::string_view word;  // "tcp"
  bool six;               // addresses are those of IPv6
  std::size_t inode_column;
  // Puts the line into words.
  std::string (*words)(const SocketTableKind& kind, std::string_view line);
};

class Sockets {
 public:
  explicit Sockets(const ProcFiles& process) : process_(process) {}

  // "tcp 127.0.0.1:51544 → 127.0.0.1:9443"; "socket:[N], …" with the reason for one that is in no
  // table. `tid`: a thread of the process that lives.
  std::string words(std::uint32_t tid, std::uint64_t inode);

  static constexpr std::size_t kTables = 9;
  static constexpr std::size_t kMostBytes = std::size_t{4} << 20;

 private:
  struct Table {
    bool read = false;
    bool cut_off = false;
    std::string text;
    std::vector<std::pair<std::uint64_t, std::size_t>> lines;  // inode, where; sorted
  };
  void read_table(std::uint32_t tid, const SocketTableKind& kind, Table& table) const;

  ProcFiles process_;
  std::array<Table, kTables> tables_;
};

// One line of a table, put into words; for tests. `table` is the file's name.
std::string socket_words(std::string_view table, std::string_view line);

// "127.0.0.1:80", "[::1]:80", "unix /run/x.sock": what connect() and sendto() are given.
std::string address_words(const void* address, std::size_t bytes);

}  // namespace impasse::system
