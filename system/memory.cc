#include "system/memory.h"

#include <fcntl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <string_view>

#include "system/call_filter.h"

namespace impasse::system {
namespace {

constexpr std::uint64_t kPage = 4096;

bool forbidden(int error) {
  return error == EPERM || error == EACCES || error == ENOSYS;
}

}  // namespace

Memory::Memory(std::uint32_t pid) : pid_(pid) {}

Memory::~Memory() {
  if (mem_fd_ >= 0) close(mem_fd_);
}

void Memory::look_again() {
  if (mem_fd_ >= 0) close(mem_fd_);
  mem_fd_ = -1;
  way_ = Way::kUnknown;
}

bool Memory::open_file() const {
  char path[40] = "/proc/self/mem";
  if (pid_ != 0) snprintf(path, sizeof path, "/proc/%u/mem", pid_);
  mem_fd_ = open(path, O_RDONLY | O_CLOEXEC);
  return mem_fd_ >= 0;
}

void Memory::find_way() const {
  way_ = filtered() ? Way::kFile : Way::kCall;
  if (way_ == Way::kFile && !open_file()) next_way();
}

void Memory::next_way() const {
  if (way_ == Way::kCall && open_file()) {
    way_ = Way::kFile;
  } else {
    // A pipe shows what the caller's own process can read, and no other's.
    way_ = pid_ == 0 && way_ != Way::kPipe ? Way::kPipe : Way::kNone;
  }
}

std::size_t Memory::read_by_pipe(std::uint64_t address, void* into, std::size_t bytes) const {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) return 0;
  auto* const bytes_into = static_cast<char*>(into);
  std::size_t done = 0;
  while (done < bytes) {
    const std::uint64_t from = address + done;
    // Page by page: a write that meets a hole half way says nothing about the half before it.
    const std::size_t part = std::min<std::size_t>(bytes - done, kPage - from % kPage);
    const ssize_t written = write(ends[1], reinterpret_cast<const void*>(from), part);
    if (written <= 0) break;
    const ssize_t taken = ::read(ends[0], bytes_into + done, static_cast<std::size_t>(written));
    if (taken != written) break;
    done += static_cast<std::size_t>(taken);
  }
  close(ends[0]);
  close(ends[1]);
  return done;
}

std::size_t Memory::read(std::uint64_t address, void* into, std::size_t bytes) const {
  if (bytes == 0) return 0;
  if (way_ == Way::kUnknown) find_way();
  for (int attempts = 0; attempts < 4; ++attempts) {
    ssize_t done = -1;
    switch (way_) {
      case Way::kCall: {
        const iovec local{into, bytes};
        const iovec remote{reinterpret_cast<void*>(address), bytes};
        const pid_t pid = pid_ == 0 ? getpid() : static_cast<pid_t>(pid_);
        done = syscall(SYS_process_vm_readv, pid, &local, 1UL, &remote, 1UL, 0UL);
        break;
      }
      case Way::kFile:
        done = pread(mem_fd_, into, bytes, static_cast<off_t>(address));
        break;
      case Way::kPipe:
        return read_by_pipe(address, into, bytes);
      case Way::kUnknown:
      case Way::kNone:
        return 0;
    }
    if (done >= 0) return static_cast<std::size_t>(done);
    if (errno == EINTR) continue;
    if (!forbidden(errno)) return 0;
    next_way();
  }
  return 0;
}

}  // namespace impasse::system
