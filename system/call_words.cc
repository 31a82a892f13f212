#include "system/call_words.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <sys/file.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <iterator>
#include <limits>
#include <vector>

#include "system/call_times.h"

namespace impasse::system {
namespace {

constexpr std::size_t kPathShown = 512;
constexpr std::size_t kPollsRead = 1024;
constexpr std::size_t kSelectBits = 65536;
constexpr std::size_t kSignalsShown = 8;

std::string hex(std::uint64_t value) {
  std::array<char, 24> text{};
  snprintf(text.data(), text.size(), "0x%llx", static_cast<unsigned long long>(value));
  return text.data();
}

std::string count_of(std::uint64_t n, const char* one, const char* many) {
  return std::to_string(n) + " " + (n == 1 ? one : many);
}

class CallWords {
 public:
  CallWords(const std::array<std::uint64_t, 6>& arguments, const CallContext& context)
      : arguments_(arguments), context_(context) {}

  // Each takes the number of its first argument. Listed in kDirectives.
  std::string fd(unsigned n) { return descriptor(integer(n)); }
  std::string whole(unsigned n) { return std::to_string(integer(n)); }
  std::string hexadecimal(unsigned n) { return hex(arguments_[n]); }
  std::string path(unsigned n) { return text_at(arguments_[n], kPathShown); }
  std::string path_at(unsigned n);
  std::string connection(unsigned n);
  std::string address_if_any(unsigned n);
  std::string poll_list(unsigned n);
  std::string select_list(unsigned n);
  std::string epoll(unsigned n) {
    return context_.descriptors.epoll_words(context_.tid, integer(n));
  }
  std::string limit(unsigned n) { return limit_of_timespec(context_.memory, arguments_[n]); }
  std::string limit_ms(unsigned n) { return limit_of_milliseconds(integer(n)); }
  std::string limit_us(unsigned n) { return limit_of_timeval(context_.memory, arguments_[n]); }
  std::string until_realtime(unsigned n) { return until(arguments_[n], CLOCK_REALTIME); }
  std::string until_by_clock(unsigned n) { return until(arguments_[n], clock(n + 1)); }
  std::string span(unsigned n) { return time_asked_for(context_.memory, arguments_[n]); }
  std::string clock_sleep(unsigned n);
  std::string futex(unsigned n);
  std::string futex_wait(unsigned n);
  std::string child(unsigned n);
  std::string child_by_kind(unsigned n);
  std::string file_control(unsigned n);
  std::string file_lock(unsigned n);
  std::string signals(unsigned n);
  std::string clone(unsigned n) { return clone_flags(arguments_[n]); }
  std::string clone_by_record(unsigned n);

 private:
  int integer(unsigned n) const { return static_cast<int>(arguments_[n]); }
  clockid_t clock(unsigned n) const { return static_cast<clockid_t>(integer(n)); }
  template <typename T>
  bool at(std::uint64_t where, T& into) const {
    return context_.memory.read_all(where, &into, sizeof into);
  }
  std::string address(unsigned n) const;
  std::string descriptor(int number) { return context_.descriptors.words(context_.tid, number); }
  std::string text_at(std::uint64_t where, std::size_t most) const;
  std::string descriptor_list(const std::vector<int>& numbers, std::uint64_t count);
  std::string until(std::uint64_t where, clockid_t by) const {
    return time_left(context_.memory, where, by);
  }
  std::string process_name(std::int64_t pid) const;
  static std::string clone_flags(std::uint64_t flags) {
    return (flags & CLONE_VFORK) != 0 ? "until its child execs or ends" : "";
  }

  const std::array<std::uint64_t, 6>& arguments_;
  const CallContext& context_;
};

std::string CallWords::text_at(std::uint64_t where, std::size_t most) const {
  if (where == 0) return "no path";
  std::string text(most, '\0');
  text.resize(context_.memory.read(where, text.data(), most));
  if (text.empty()) return "an unreadable path";
  const std::size_t end = text.find('\0');
  return end == std::string::npos ? text + "…" : text.substr(0, end);
}

std::string CallWords::path_at(unsigned n) {
  std::string path = text_at(arguments_[n + 1], kPathShown);
  const int directory = integer(n);
  if (path.empty()) return descriptor(directory);  // AT_EMPTY_PATH
  if (path.starts_with('/') || directory == AT_FDCWD) return path;
  return path + " in " + descriptor(directory);
}

std::string CallWords::address(unsigned n) const {
  std::array<char, sizeof(sockaddr_storage)> bytes{};
  const std::size_t most = std::min<std::size_t>(arguments_[n + 1], bytes.size());
  const std::size_t size = context_.memory.read(arguments_[n], bytes.data(), most);
  return address_words(bytes.data(), size);
}

std::string CallWords::connection(unsigned n) {
  const std::string socket = fd(n);
  const std::string peer = address(n + 1);
  const bool said = peer.empty() || socket.ends_with(" → " + peer);
  return said ? socket : socket + ", to " + peer;
}

std::string CallWords::address_if_any(unsigned n) {
  const std::string peer = arguments_[n] == 0 ? std::string() : address(n);
  return peer.empty() ? peer : ", to " + peer;
}

// "2 descriptors: fd 3, pipe:[17]; fd 4, /dev/null"
std::string CallWords::descriptor_list(const std::vector<int>& numbers, std::uint64_t count) {
  if (count == 0) return "no descriptors";
  if (count == 1 && numbers.size() == 1) return descriptor(numbers[0]);
  std::string text = count_of(count, "descriptor", "descriptors");
  if (numbers.size() != count || count > Descriptors::kNamed) return text;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    text += (i == 0 ? ": " : "; ") + descriptor(numbers[i]);
  }
  return text;
}

std::string CallWords::poll_list(unsigned n) {
  const std::uint64_t count = arguments_[n + 1] & 0xffff'ffff;
  std::vector<pollfd> entries(std::min<std::uint64_t>(count, kPollsRead));
  const std::size_t bytes = entries.size() * sizeof(pollfd);
  if (entries.size() < count || !context_.memory.read_all(arguments_[n], entries.data(), bytes)) {
    return count_of(count, "descriptor", "descriptors");
  }
  std::vector<int> numbers;
  for (const pollfd& entry : entries) {
    if (entry.fd >= 0) numbers.push_back(entry.fd);  // the kernel passes over the others
  }
  return descriptor_list(numbers, numbers.size());
}

std::string CallWords::select_list(unsigned n) {
  const auto bits = static_cast<std::size_t>(
      std::clamp<std::int64_t>(integer(n), 0, static_cast<std::int64_t>(kSelectBits)));
  constexpr std::size_t kBitsOfWord = 64;
  std::vector<std::uint64_t> all((bits + kBitsOfWord - 1) / kBitsOfWord);
  std::vector<std::uint64_t> one(all.size());
  for (unsigned set = n + 1; set <= n + 3; ++set) {
    if (arguments_[set] == 0 || all.empty()) continue;
    // A set smaller than whole words is allowed to end before them.
    context_.memory.read(arguments_[set], one.data(), one.size() * sizeof one[0]);
    for (std::size_t i = 0; i < all.size(); ++i) all[i] |= one[i];
  }
  std::vector<int> numbers;
  for (std::size_t i = 0; i < bits; ++i) {
    if ((all[i / kBitsOfWord] >> i % kBitsOfWord & 1) != 0) numbers.push_back(static_cast<int>(i));
  }
  return descriptor_list(numbers, numbers.size());
}

std::string CallWords::clock_sleep(unsigned n) {
  const bool absolute = (integer(n + 1) & TIMER_ABSTIME) != 0;
  return absolute ? until(arguments_[n + 2], clock(n)) : span(n + 2);
}

std::string CallWords::futex(unsigned n) {
  const int operation = integer(n + 1);
  const clockid_t by = (operation & FUTEX_CLOCK_REALTIME) != 0 ? CLOCK_REALTIME : CLOCK_MONOTONIC;
  const std::string where = "address " + hex(arguments_[n]);
  switch (operation & FUTEX_CMD_MASK) {
    case FUTEX_WAIT:
      return where + ", " + limit(n + 3);
    case FUTEX_WAIT_BITSET:
    case FUTEX_WAIT_REQUEUE_PI:
      return where + ", " + until(arguments_[n + 3], by);
    case FUTEX_LOCK_PI:  // always by the wall clock
      return where + ", a lock with priority inheritance, " +
             until(arguments_[n + 3], CLOCK_REALTIME);
    case FUTEX_LOCK_PI2:
      return where + ", a lock with priority inheritance, " + until(arguments_[n + 3], by);
    case FUTEX_UNLOCK_PI:
      return where + ", gives back a lock with priority inheritance";
    case FUTEX_WAKE:
    case FUTEX_WAKE_OP:
    case FUTEX_WAKE_BITSET:
      return where + ", wakes others";
    default:
      return where + ", operation " + std::to_string(operation & FUTEX_CMD_MASK);
  }
}

// futex_wait(address, value, mask, flags, time, clock)
std::string CallWords::futex_wait(unsigned n) {
  return "address " + hex(arguments_[n]) + ", " + until(arguments_[n + 4], clock(n + 5));
}

std::string CallWords::process_name(std::int64_t pid) const {
  std::string number = std::to_string(pid);
  if (pid <= 0 || pid > std::numeric_limits<std::int32_t>::max()) return number;
  std::array<char, 64> name{};
  std::size_t size = 0;
  if (ProcFiles(static_cast<std::uint32_t>(pid)).read("comm", name.data(), name.size(), size) !=
          0 ||
      size < 2) {
    return number;
  }
  return number + " \"" + std::string(name.data(), size - 1) + "\"";
}

std::string CallWords::child(unsigned n) {
  const int pid = integer(n);
  if (pid > 0) return "child " + process_name(pid);
  if (pid == -1) return "any child";
  if (pid == 0) return "any child of its own process group";
  return "any child of process group " + std::to_string(-static_cast<std::int64_t>(pid));
}

std::string CallWords::child_by_kind(unsigned n) {
  const int id = integer(n + 1);
  switch (integer(n)) {
    case P_ALL:
      return "any child";
    case P_PID:
      return "child " + process_name(id);
    case P_PGID:
      return id == 0 ? "any child of its own process group"
                     : "any child of process group " + std::to_string(id);
    case P_PIDFD:
      return descriptor(id);
    default:
      return "";
  }
}

// Which bytes are asked for, and how.
std::string lock_words(const struct flock& lock) {
  std::string words = lock.l_type == F_RDLCK ? "a shared lock" : "an exclusive lock";
  if (lock.l_whence != SEEK_SET) return words;
  if (lock.l_start == 0 && lock.l_len == 0) return words + " on all of it";
  words += " on bytes from " + std::to_string(lock.l_start);
  if (lock.l_len > 0) words += ", " + std::to_string(lock.l_len) + " of them";
  return words;
}

std::string CallWords::file_control(unsigned n) {
  const int operation = integer(n + 1);
  const std::string words = fd(n);
  struct flock lock {};
  if (operation != F_SETLKW && operation != F_OFD_SETLKW) {
    return words + ", operation " + std::to_string(operation);
  }
  return words + ", " + (at(arguments_[n + 2], lock) ? lock_words(lock) : "a lock");
}

std::string CallWords::file_lock(unsigned n) {
  const int operation = integer(n + 1) & ~LOCK_NB;
  const char* const what = operation == LOCK_SH   ? ", a shared lock"
                           : operation == LOCK_EX ? ", an exclusive lock"
                                                  : "";
  return fd(n) + what;
}

std::string CallWords::signals(unsigned n) {
  std::uint64_t set = 0;
  if (!at(arguments_[n], set)) return "unreadable signals";
  std::string text;
  std::size_t count = 0;
  for (unsigned bit = 0; bit < 64; ++bit) {
    if ((set >> bit & 1) == 0) continue;
    if (++count <= kSignalsShown) text += (count == 1 ? "" : ", ") + std::to_string(bit + 1);
  }
  if (count > kSignalsShown) return "any of " + std::to_string(count) + " signals";
  if (count == 0) return "no signal";
  return (count == 1 ? "signal " : "signals ") + text;
}

std::string CallWords::clone_by_record(unsigned n) {
  std::uint64_t flags = 0;
  return at(arguments_[n], flags) ? clone_flags(flags) : "";
}

struct Directive {
  std::string_view name;
  std::string (CallWords::*words)(unsigned n);
};

// What may stand in braces in system_calls.def, followed by the number of its first argument.
constexpr Directive kDirectives[] = {
    {"fd", &CallWords::fd},
    {"int", &CallWords::whole},
    {"hex", &CallWords::hexadecimal},
    {"path", &CallWords::path},
    {"at", &CallWords::path_at},          // directory, path
    {"connect", &CallWords::connection},  // descriptor, address, its size
    {"to", &CallWords::address_if_any},   // address, its size
    {"poll", &CallWords::poll_list},      // entries, how many
    {"select", &CallWords::select_list},  // how many, three sets
    {"epoll", &CallWords::epoll},
    {"limit", &CallWords::limit},               // timespec
    {"limit_ms", &CallWords::limit_ms},         // a number
    {"limit_us", &CallWords::limit_us},         // timeval
    {"until", &CallWords::until_realtime},      // timespec of the wall clock
    {"until_by", &CallWords::until_by_clock},   // timespec, clock
    {"span", &CallWords::span},                 // timespec
    {"clock_sleep", &CallWords::clock_sleep},   // clock, flags, timespec
    {"futex", &CallWords::futex},               // all of futex()
    {"futex_wait", &CallWords::futex_wait},     // all of futex_wait()
    {"child", &CallWords::child},               // pid of wait4()
    {"id", &CallWords::child_by_kind},          // kind, id
    {"fcntl", &CallWords::file_control},        // all of fcntl()
    {"flock", &CallWords::file_lock},           // all of flock()
    {"signals", &CallWords::signals},           // a set
    {"clone", &CallWords::clone},               // flags
    {"clone_by", &CallWords::clone_by_record},  // a record that begins with flags
};

// "fd0" → the directive "fd", argument 0.
const Directive* find(std::string_view braces, unsigned& argument) {
  if (braces.empty() || braces.back() < '0' || braces.back() > '5') return nullptr;
  argument = static_cast<unsigned>(braces.back() - '0');
  braces.remove_suffix(1);
  const auto* const found = std::find_if(std::begin(kDirectives), std::end(kDirectives),
                                         [braces](const Directive& d) { return d.name == braces; });
  return found == std::end(kDirectives) ? nullptr : found;
}

// Calls for each part: plain text, or what stands in braces.
template <typename Plain, typename Braces>
void for_each_part(std::string_view words, Plain plain, Braces braces) {
  while (!words.empty()) {
    const std::size_t open = std::min(words.find('{'), words.size());
    const std::size_t close = std::min(words.find('}', open), words.size());
    plain(words.substr(0, open));
    if (close > open) braces(words.substr(open + 1, close - open - 1));
    words.remove_prefix(std::min(close + 1, words.size()));
  }
}

}  // namespace

std::string call_words(std::string_view words, const std::array<std::uint64_t, 6>& arguments,
                       const CallContext& context) {
  CallWords values(arguments, context);
  std::string text;
  for_each_part(
      words, [&text](std::string_view plain) { text += plain; },
      [&](std::string_view braces) {
        unsigned argument = 0;
        if (const Directive* const directive = find(braces, argument)) {
          text += (values.*directive->words)(argument);
        }
      });
  return text;
}

bool words_known(std::string_view words) {
  bool known = true;
  for_each_part(
      words, [&known](std::string_view plain) { known &= plain.find('}') == plain.npos; },
      [&known](std::string_view braces) {
        unsigned argument = 0;
        known &= find(braces, argument) != nullptr;
      });
  return known;
}

}  // namespace impasse::system
