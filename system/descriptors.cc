#include "system/descriptors.h"

#include <array>
#include <cerrno>
#include <cstdio>
#include <string_view>
#include <vector>

#include "system/kernel_text.h"
#include "system/span.h"

namespace impasse::system {
namespace {

constexpr std::size_t kInfoBytes = std::size_t{64} << 10;

// "socket:[4711]" → 4711.
bool bracketed_number(std::string_view link, std::string_view kind, std::uint64_t& value) {
  if (!link.starts_with(kind) || !link.ends_with(']')) return false;
  link.remove_prefix(kind.size());
  link.remove_suffix(1);
  return parse_number(link, 10, value);
}

// "it_value: (2, 500000000)"
std::string timer_words(std::string_view info) {
  std::string_view value = field(info, "it_value:");
  timespec left{};
  std::uint64_t ns = 0;
  const std::size_t comma = value.find(',');
  if (!value.starts_with('(') || comma == std::string_view::npos ||
      !leading_number(value.substr(1), left.tv_sec) ||
      !leading_number(value.substr(comma + 1), left.tv_nsec) || !span_of(left, ns)) {
    return "timerfd";
  }
  return ns == 0 ? "timerfd, not running" : "timerfd, fires in " + span_text(ns);
}

std::string process_words(std::string_view info) {
  std::int64_t pid = 0;
  if (!leading_number(field(info, "Pid:"), pid)) return "pidfd";
  return pid < 0 ? "pidfd of a process that is gone" : "pidfd of process " + std::to_string(pid);
}

std::vector<int> watched_by_epoll(std::string_view info) {
  std::vector<int> watched;
  for (std::string_view rest = after_name(info, "tfd:"); !rest.empty();
       rest = after_name(rest, "tfd:")) {
    int descriptor = 0;
    if (leading_number(rest, descriptor)) watched.push_back(descriptor);
  }
  return watched;
}

}  // namespace

std::string Descriptors::info(std::uint32_t tid, int descriptor) const {
  std::array<char, 32> name;
  snprintf(name.data(), name.size(), "fdinfo/%d", descriptor);
  std::string text;
  process_.read(tid, name.data(), text, kInfoBytes);
  return text;
}

// "anon_inode:[eventfd]", "anon_inode:inotify"
std::string Descriptors::inode_words(std::uint32_t tid, int descriptor,
                                     const std::string& name) const {
  std::string_view kind = name;
  if (kind.starts_with('[')) kind.remove_prefix(1);
  if (kind.ends_with(']')) kind.remove_suffix(1);
  if (kind == "eventpoll") return "epoll";
  if (kind == "timerfd") return timer_words(info(tid, descriptor));
  if (kind == "pidfd") return process_words(info(tid, descriptor));
  return std::string(kind);
}

std::string Descriptors::link_words(std::uint32_t tid, int descriptor, const std::string& link) {
  constexpr std::string_view kAnonymous = "anon_inode:";
  std::uint64_t inode = 0;
  if (bracketed_number(link, "socket:[", inode)) return sockets_.words(tid, inode);
  if (bracketed_number(link, "pidfd:[", inode)) return process_words(info(tid, descriptor));
  if (link.starts_with(kAnonymous)) {
    return inode_words(tid, descriptor, link.substr(kAnonymous.size()));
  }
  return link;
}

std::string Descriptors::target(std::uint32_t tid, int descriptor) {
  std::array<char, 32> name;
  snprintf(name.data(), name.size(), "fd/%d", descriptor);
  std::string link;
  const int error = process_.link(tid, name.data(), link);
  if (error == ENOENT) return "not open";
  if (error == EACCES || error == EPERM) return "which the kernel does not let us look at";
  if (error != 0) return "which cannot be read";
  return link_words(tid, descriptor, link);
}

std::string Descriptors::words(std::uint32_t tid, int descriptor) {
  return "fd " + std::to_string(descriptor) + ", " + target(tid, descriptor);
}

std::string Descriptors::epoll_words(std::uint32_t tid, int descriptor) {
  std::string text = words(tid, descriptor);
  const std::vector<int> watched = watched_by_epoll(info(tid, descriptor));
  if (watched.empty() || !text.ends_with("epoll")) return text;
  text += " of " + std::to_string(watched.size()) +
          (watched.size() == 1 ? " descriptor" : " descriptors");
  if (watched.size() > kNamed) return text;
  for (std::size_t i = 0; i < watched.size(); ++i) {
    text += (i == 0 ? ": " : "; ") + words(tid, watched[i]);
  }
  return text;
}

}  // namespace impasse::system
