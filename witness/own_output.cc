#include "witness/own_output.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <vector>

#include "system/call_filter.h"
#include "system/proc_files.h"

namespace impasse::witness {
namespace {

// What a pipe takes at once, or not at all.
constexpr std::size_t kPiece = 4096;
constexpr int kPatienceMs = 200;
constexpr std::int64_t kMostMs = 2'000;
constexpr unsigned kPidfdThread = O_EXCL;  // PIDFD_THREAD, since Linux 6.9
constexpr std::size_t kMostThreads = 64;

std::int64_t now_ms() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return std::int64_t{now.tv_sec} * 1'000 + now.tv_nsec / 1'000'000;
}

enum : int { kUnknown, kYes, kNo };
constinit std::atomic<int> may_take_known{kUnknown};

// Some services are ended for such a call. Asked once: a filter, once there, stays.
bool may_take() {
  int may = may_take_known.load(std::memory_order_relaxed);
  if (may == kNo) return false;
  // A filter may have come since.
  if (may == kUnknown || system::filtered()) {
    const bool yes = system::survives(SYS_pidfd_open, ~0UL, 0, 0) &&
                     system::survives(SYS_pidfd_getfd, ~0UL, 0, 0);
    may = yes ? kYes : kNo;
    may_take_known.store(may, std::memory_order_relaxed);
  }
  return may == kYes;
}

// The descriptor 2 of a thread, here; negative: it has none.
int taken_from(std::uint32_t tid, unsigned flags) {
  if (!may_take()) return -1;
  const long thread = syscall(SYS_pidfd_open, tid, flags);
  if (thread < 0) return -1;
  const long fd = syscall(SYS_pidfd_getfd, thread, STDERR_FILENO, 0);
  close(static_cast<int>(thread));
  return static_cast<int>(fd);
}

// Our own threads have tables of their own, where number 2 is any file.
bool is_ours(std::uint32_t tid) {
  char name[16] = "";
  std::size_t size = 0;
  return system::ProcFiles().read(tid, "comm", name, sizeof name, size) != 0 ||
         std::string_view(name, size).starts_with("impasse");
}

bool has_ended(std::uint32_t tid) {
  char text[256];
  std::size_t size = 0;
  if (system::ProcFiles().read(tid, "stat", text, sizeof text, size) != 0) return true;
  const std::string_view stat(text, size);
  const std::size_t name_end = stat.rfind(')');
  return name_end == std::string_view::npos || stat.substr(name_end).starts_with(") Z");
}

// The first thread has ended and the others go on: its table is gone, theirs is the program's.
int stderr_of_others() {
  std::vector<std::uint32_t> tids;
  bool more = false;
  system::ProcFiles().tasks(tids, kMostThreads, more);
  for (const std::uint32_t tid : tids) {
    if (tid == static_cast<std::uint32_t>(getpid()) || is_ours(tid)) continue;
    int fd = taken_from(tid, kPidfdThread);
    if (fd < 0) {
      char path[64];
      std::snprintf(path, sizeof path, "/proc/self/task/%u/fd/2", tid);
      fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    }
    if (fd >= 0) return fd;
  }
  return -1;
}

// Our thread has a table of descriptors of its own: the program's is asked for by number. The file
// system's way does not work for sockets.
int program_stderr() {
  const auto process = static_cast<std::uint32_t>(getpid());
  int fd = taken_from(process, 0);
  if (fd >= 0) return fd;
  fd = open("/proc/self/fd/2", O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  return fd >= 0 || !has_ended(process) ? fd : stderr_of_others();
}

// Where the program's other threads may fill a pipe or a terminal after we were told that there is
// room, only a description of our own can refuse to wait.
int made_patient(int fd, mode_t mode) {
  if (!S_ISFIFO(mode) && !S_ISCHR(mode)) return fd;
  char path[48];
  std::snprintf(path, sizeof path, "/proc/thread-self/fd/%d", fd);
  const int own = open(path, O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (own < 0) return fd;
  close(fd);
  return own;
}

ssize_t put(int fd, mode_t mode, const char* bytes, std::size_t size) {
  return S_ISSOCK(mode) ? send(fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL)
                        : write(fd, bytes, size);
}

}  // namespace

bool write_to_stderr(std::string_view text) {
  int fd = program_stderr();
  if (fd < 0) return false;
  struct stat file {};
  const mode_t mode = fstat(fd, &file) == 0 ? file.st_mode : 0;
  fd = made_patient(fd, mode);
  const std::int64_t end = now_ms() + kMostMs;
  while (!text.empty() && now_ms() < end) {
    pollfd ready{fd, POLLOUT, 0};
    const int answer = poll(&ready, 1, kPatienceMs);
    if (answer < 0 && errno == EINTR) continue;  // the process was stopped
    if (answer != 1 || (ready.revents & POLLOUT) == 0) break;
    const ssize_t n = put(fd, mode, text.data(), std::min(text.size(), kPiece));
    if (n < 0 && errno == EAGAIN) poll(nullptr, 0, 1);  // somebody else was quicker
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) break;
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  close(fd);
  return text.empty();
}

}  // namespace impasse::witness
