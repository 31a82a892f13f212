#include "system/sockets.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <optional>

#include "system/kernel_text.h"

namespace impasse::system {
namespace {

struct Endpoint {
  std::array<unsigned char, 16> address{};  // as it goes over the network
  std::uint16_t port = 0;
  bool six = false;

  bool nobody() const {
    return port == 0 && std::all_of(address.begin(), address.end(), [](auto b) { return b == 0; });
  }
};

std::string words_of(const Endpoint& end) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  inet_ntop(end.six ? AF_INET6 : AF_INET, end.address.data(), text.data(), text.size());
  const std::string address = text.data();
  return (end.six ? "[" + address + "]" : address) + ":" + std::to_string(end.port);
}

// "0100007F:1F90": words of 32 bits as the machine keeps them, and the port.
std::optional<Endpoint> parse_endpoint(std::string_view text, bool six) {
  Endpoint end;
  end.six = six;
  const std::size_t groups = six ? 4 : 1;
  if (text.size() != groups * 8 + 5 || text[groups * 8] != ':') return std::nullopt;
  for (std::size_t i = 0; i < groups; ++i) {
    std::uint32_t group = 0;
    if (!parse_number(text.substr(i * 8, 8), 16, group)) return std::nullopt;
    std::memcpy(end.address.data() + i * 4, &group, sizeof group);
  }
  if (!parse_number(text.substr(groups * 8 + 1), 16, end.port)) return std::nullopt;
  return end;
}

// What the kernel calls a connection's state; nothing to say of an established one.
enum TcpState : unsigned {
  kSynSent = 2,
  kSynReceived = 3,
  kClose = 7,
  kCloseWait = 8,
  kListen = 10
};

std::string_view ending(unsigned state) {
  switch (state) {
    case kCloseWait:
      return " (the peer has closed it)";
    case 4:   // FIN_WAIT1
    case 5:   // FIN_WAIT2
    case 6:   // TIME_WAIT
    case 9:   // LAST_ACK
    case 11:  // CLOSING
      return " (closing)";
    default:
      return "";
  }
}

// tcp, udp, raw: "sl: local remote state …".
std::string inet_words(const SocketTableKind& kind, std::string_view line) {
  const auto local = parse_endpoint(column(line, 1), kind.six);
  const auto remote = parse_endpoint(column(line, 2), kind.six);
  unsigned state = 0;
  std::string words(kind.word);
  if (!local || !remote || !parse_number(column(line, 3), 16, state)) return words;
  const bool tcp = kind.word.starts_with("tcp");
  if (tcp && state == kListen) return words + " listening on " + words_of(*local);
  if (remote->nobody()) {
    words += " " + words_of(*local);
    return tcp ? words + " (not connected)" : words;
  }
  if (tcp && (state == kSynSent || state == kSynReceived)) words += " connecting";
  words += " " + words_of(*local) + " → " + words_of(*remote);
  if (tcp) words += ending(state);
  return words;
}

constexpr unsigned kAcceptsConnections = 1U << 16;
constexpr unsigned kConnecting = 2;

// "address: references protocol flags type state inode path".
std::string unix_words(const SocketTableKind&, std::string_view line) {
  unsigned flags = 0;
  unsigned state = 0;
  parse_number(column(line, 3), 16, flags);
  parse_number(column(line, 5), 16, state);
  std::string_view path = line;
  for (std::size_t i = 0; i < 7; ++i) take_word(path);
  path.remove_prefix(path.starts_with(' ') ? 1 : 0);
  std::string words = "unix ";
  if ((flags & kAcceptsConnections) != 0) words += "listening on ";
  if (state == kConnecting) words += "connecting ";
  return words + (path.empty() ? "(unnamed)" : std::string(path));
}

std::string kind_alone(const SocketTableKind& kind, std::string_view) {
  return std::string(kind.word);
}

// The cheap ones first: for tcp the kernel walks a large, mostly empty table (3 ms).
constexpr std::array<SocketTableKind, Sockets::kTables> kKinds{{
    {"unix", "unix", false, 6, unix_words},
    {"udp", "udp", false, 9, inet_words},
    {"udp6", "udp6", true, 9, inet_words},
    {"netlink", "netlink", false, 9, kind_alone},
    {"packet", "packet socket", false, 8, kind_alone},
    {"raw", "raw", false, 9, inet_words},
    {"raw6", "raw6", true, 9, inet_words},
    {"tcp", "tcp", false, 9, inet_words},
    {"tcp6", "tcp6", true, 9, inet_words},
}};

std::string_view line_at(std::string_view text, std::size_t at) {
  text.remove_prefix(at);
  return text.substr(0, text.find('\n'));
}

std::string unix_address(const char* path, std::size_t bytes) {
  if (bytes == 0) return "unix (unnamed)";
  if (path[0] != '\0') return "unix " + std::string(path, strnlen(path, bytes));
  return "unix @" + std::string(path + 1, bytes - 1);  // a name that is in no file system
}

}  // namespace

void Sockets::read_table(std::uint32_t tid, const SocketTableKind& kind, Table& table) const {
  table.read = true;
  const std::string name = std::string("net/") + kind.file;
  if (process_.read(tid, name.c_str(), table.text, kMostBytes) != 0) return;
  table.cut_off = table.text.size() == kMostBytes;
  std::size_t next = 0;
  for (std::size_t at = 0; at < table.text.size(); at = next) {
    const std::string_view line = line_at(table.text, at);
    next = at + line.size() + 1;
    std::uint64_t inode = 0;
    if (parse_number(column(line, kind.inode_column), 10, inode))
      table.lines.emplace_back(inode, at);
  }
  std::sort(table.lines.begin(), table.lines.end());
}

std::string Sockets::words(std::uint32_t tid, std::uint64_t inode) {
  bool cut_off = false;
  for (std::size_t i = 0; i < kTables; ++i) {
    Table& table = tables_[i];
    if (!table.read) read_table(tid, kKinds[i], table);
    cut_off |= table.cut_off;
    const auto found = std::lower_bound(table.lines.begin(), table.lines.end(),
                                        std::pair<std::uint64_t, std::size_t>(inode, 0));
    if (found == table.lines.end() || found->first != inode) continue;
    return kKinds[i].words(kKinds[i], line_at(table.text, found->second));
  }
  return "socket:[" + std::to_string(inode) +
         (cut_off ? "], not in the first 4 MiB of the kernel's tables"
                  : "], in no table of the kernel (not bound, or of another kind)");
}

std::string socket_words(std::string_view table, std::string_view line) {
  for (const SocketTableKind& kind : kKinds) {
    if (table == kind.file) return kind.words(kind, line);
  }
  return {};
}

std::string address_words(const void* address, std::size_t bytes) {
  sa_family_t family = AF_UNSPEC;
  if (bytes < sizeof family) return {};
  std::memcpy(&family, address, sizeof family);
  Endpoint end;
  if (family == AF_INET && bytes >= sizeof(sockaddr_in)) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof in);
    std::memcpy(end.address.data(), &in.sin_addr, sizeof in.sin_addr);
    end.port = ntohs(in.sin_port);
    return words_of(end);
  }
  // Without the scope, which came later, it is valid too.
  if (family == AF_INET6 && bytes >= offsetof(sockaddr_in6, sin6_scope_id)) {
    sockaddr_in6 in{};
    std::memcpy(&in, address, std::min(bytes, sizeof in));
    std::memcpy(end.address.data(), &in.sin6_addr, sizeof in.sin6_addr);
    end.port = ntohs(in.sin6_port);
    end.six = true;
    return words_of(end);
  }
  if (family == AF_UNIX) {
    const std::size_t most = std::min(bytes, sizeof(sockaddr_un));
    const auto* const text = static_cast<const char*>(address);
    return unix_address(text + sizeof family, most - sizeof family);
  }
  return "an address of family " + std::to_string(family);
}

}  // namespace impasse::system
