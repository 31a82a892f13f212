#include "interpose/ledger_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <ctime>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

namespace impasse {
namespace {

// Raw system calls: the libc functions of these names are cancellation points, and a program's
// thread must not be cancelled inside pthread_create or pthread_mutex_lock.
int raw_open(const char* path, int flags, int mode) {
  return static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, flags, mode));
}
void raw_close(int fd) {
  syscall(SYS_close, fd);
}

constexpr std::size_t kPathBytes = 256;

struct Placement {
  char path[kPathBytes];  // empty: anonymous
  std::byte* base;
  int owner;    // pid
  int trouble;  // why it is anonymous, though it should not be
};
constinit Placement placement{};

char* append(char* to, const char* end, const char* text) {
  while (*text != '\0' && to < end) *to++ = *text++;
  *to = '\0';
  return to;
}

char* append_number(char* to, const char* end, std::uint64_t number, unsigned base) {
  char digits[24];
  char* first = digits + sizeof digits - 1;
  *first = '\0';
  do *--first = "0123456789abcdef"[number % base];
  while ((number /= base) != 0);
  return append(to, end, first);
}

// DIRECTORY/impasse.PID.HEX, HEX being the pid namespace: containers may share a /dev/shm and not
// their pids. False: too long.
bool name_file(const char* directory, char (&path)[kPathBytes]) {
  struct stat pids {};
  if (stat("/proc/self/ns/pid", &pids) != 0) pids.st_ino = 0;
  const char* end = path + kPathBytes - 1;
  char* at = append(path, end, directory);
  at = append(at, end, "/impasse.");
  at = append_number(at, end, static_cast<std::uint64_t>(syscall(SYS_getpid)), 10);
  at = append(at, end, ".");
  at = append_number(at, end, pids.st_ino, 16);
  return at < end;
}

void* map(int fd, std::size_t bytes) {
  const int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
  void* base = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, fd, 0);
  return base == MAP_FAILED ? nullptr : base;
}

bool file_may_be(std::size_t bytes) {
  rlimit limit{};
  // Past this limit ftruncate() does not only fail: it raises SIGXFSZ.
  return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
         limit.rlim_cur >= bytes;
}

void* map_file(const char* directory, std::size_t bytes) {
  placement.trouble = file_may_be(bytes) ? ENAMETOOLONG : EFBIG;
  if (placement.trouble == EFBIG || !name_file(directory, placement.path)) return nullptr;
  constexpr int kNew = O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW;
  int fd = raw_open(placement.path, kNew, 0600);
  if (fd < 0 && errno == EEXIST) {  // left behind by a killed process of this pid
    unlink(placement.path);
    fd = raw_open(placement.path, kNew, 0600);
  }
  placement.trouble = fd < 0 ? errno : 0;
  if (fd < 0) return nullptr;
  void* base = ftruncate(fd, static_cast<off_t>(bytes)) == 0 ? map(fd, bytes) : nullptr;
  // Without room for the first page the file would tell nobody anything.
  const bool room =
      base != nullptr && syscall(SYS_fallocate, fd, 0, off_t{0}, static_cast<off_t>(kPage)) == 0;
  if (!room) placement.trouble = errno;
  raw_close(fd);
  if (room) return base;
  if (base != nullptr) munmap(base, bytes);
  unlink(placement.path);
  return nullptr;
}

bool populate(void* start, std::size_t bytes) {
  return madvise(start, bytes, MADV_POPULATE_WRITE) == 0;
}

// For kernels that cannot populate: blocks of the file are allocated through a descriptor of the
// moment.
bool allocate_blocks(void* start, std::size_t bytes) {
  const int fd = raw_open(placement.path, O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0);
  if (fd < 0) return false;
  const auto offset = static_cast<std::byte*>(start) - placement.base;
  const long answer =
      syscall(SYS_fallocate, fd, 0, static_cast<off_t>(offset), static_cast<off_t>(bytes));
  raw_close(fd);
  return answer == 0;
}

}  // namespace

LedgerMemory map_ledger(const char* directory) {
  placement.owner = static_cast<int>(syscall(SYS_getpid));
  placement.path[0] = '\0';
  placement.trouble = 0;
  for (const Geometry& geometry : {kFullGeometry, kSmallGeometry}) {
    const std::size_t bytes = Ledger::bytes(geometry);
    void* base = directory == nullptr ? nullptr : map_file(directory, bytes);
    if (base == nullptr) {
      placement.path[0] = '\0';
      base = map(-1, bytes);
    }
    placement.base = static_cast<std::byte*>(base);
    if (base != nullptr) return {base, geometry};
  }
  return {};
}

void leave_ledger_memory(void* base, std::size_t bytes) {
  constexpr int kInPlace = MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE;
  // Should it fail, the parent's memory stays where it is: a wrong fact rather than a crash.
  static_cast<void>(!mmap(base, bytes, PROT_READ | PROT_WRITE, kInPlace, -1, 0));
}

bool reserve_ledger_memory(void* start, std::size_t bytes) {
  if (placement.path[0] == '\0' || populate(start, bytes)) return true;
  if (errno == EINVAL && allocate_blocks(start, bytes)) return true;
  // No room in the file: this part becomes anonymous memory. The process sees it, others read
  // zeros.
  void* here = mmap(start, bytes, PROT_READ | PROT_WRITE,
                    MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (here == MAP_FAILED) return false;
  auto& header = *reinterpret_cast<LedgerHeader*>(placement.base);
  header.counters[k_parts_unseen].fetch_add(1, std::memory_order_relaxed);
  return true;
}

const char* ledger_file() {
  return placement.path[0] == '\0' ? nullptr : placement.path;
}

int ledger_trouble() {
  return placement.trouble;
}

void remove_ledger_file() {
  if (placement.path[0] == '\0' || placement.owner != static_cast<int>(syscall(SYS_getpid))) return;
  unlink(placement.path);
  const auto& header = *reinterpret_cast<const LedgerHeader*>(placement.base);
  if (header.answered.load(std::memory_order_relaxed) == 0) return;
  // An answer that nobody has fetched.
  char answer[kPathBytes + sizeof ".dump"];
  append(append(answer, answer + sizeof answer - 1, placement.path), answer + sizeof answer - 1,
         ".dump");
  unlink(answer);
}

void remove_ledger_of_earlier_image(const char* directory) {
  char path[kPathBytes];
  if (!name_file(directory, path)) return;
  const int fd = raw_open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW, 0);
  if (fd < 0) return;
  LedgerHeader header;
  const bool whole =
      syscall(SYS_pread64, fd, &header, sizeof header, 0) == static_cast<long>(sizeof header);
  raw_close(fd);
  if (whole && header.magic == kLedgerMagic && header.version == kLedgerVersion &&
      header.process_start != 0 && header.process_start == process_start()) {
    unlink(path);
  }
}

std::uint64_t process_start() {
  const int fd = raw_open("/proc/self/stat", O_RDONLY | O_CLOEXEC, 0);
  if (fd < 0) return 0;
  char text[1024];
  const long n = syscall(SYS_pread64, fd, text, sizeof text - 1, 0);
  raw_close(fd);
  if (n <= 0) return 0;
  text[n] = '\0';
  // Field 22; the second, the name, may hold anything and ends with the last parenthesis.
  const char* at = std::strrchr(text, ')');
  for (int field = 2; at != nullptr && field < 22; ++field) at = std::strchr(at + 1, ' ');
  std::uint64_t start = 0;
  for (at = at == nullptr ? "" : at + 1; *at >= '0' && *at <= '9'; ++at)
    start = 10 * start + static_cast<std::uint64_t>(*at - '0');
  return start;
}

void disown_ledger_file() {
  placement.path[0] = '\0';
}

}  // namespace impasse
