// What Memory promises: short counts, no crash, and three ways to read.
#include "system/memory.h"

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <functional>

namespace impasse::system {
namespace {

constexpr std::size_t kPage = 4096;

std::uint64_t address(const void* pointer) {
  return reinterpret_cast<std::uint64_t>(pointer);
}

// Three pages of which the middle one can be taken away.
struct Pages {
  char* bytes = static_cast<char*>(
      mmap(nullptr, 3 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  Pages() { memset(bytes, 7, 3 * kPage); }
  ~Pages() { munmap(bytes, 3 * kPage); }
};

void expect_reads(const Memory& memory) {
  Pages pages;
  char into[3 * kPage] = {};
  EXPECT_TRUE(memory.read_all(address(pages.bytes), into, sizeof into));
  EXPECT_EQ(into[2 * kPage + 5], 7);
  munmap(pages.bytes + kPage, kPage);
  EXPECT_EQ(memory.read(address(pages.bytes), into, sizeof into), kPage);
  EXPECT_EQ(memory.read(address(pages.bytes + kPage), into, 8), 0u);
  EXPECT_EQ(memory.read(address(pages.bytes + 2 * kPage), into, 8), 8u);
  EXPECT_EQ(memory.read(0, into, 8), 0u);
  EXPECT_EQ(memory.read(~std::uint64_t{0} - 3, into, 8), 0u);
  EXPECT_EQ(memory.read(address(pages.bytes), into, 0), 0u);
}

// In a child process, so that its filter and its rights stay there.
void in_child(const std::function<void()>& test) {
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(10);
    test();
    _exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << status;
}

// process_vm_readv ends the process, or is refused.
void filter_reads(std::uint32_t action) {
  sock_filter rules[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, action),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{4, rules};
  ASSERT_EQ(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
  ASSERT_EQ(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter), 0);
}

TEST(Memory, ReadsUpToTheHole) {
  expect_reads(Memory());
}

TEST(Memory, ReadsAnotherProcess) {
  static char mark[] = "marked";
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(10);
    for (;;) pause();
  }
  char into[sizeof mark] = {};
  EXPECT_TRUE(Memory(static_cast<std::uint32_t>(pid)).read_all(address(mark), into, sizeof into));
  EXPECT_STREQ(into, mark);
  kill(pid, SIGKILL);
  waitpid(pid, nullptr, 0);
  EXPECT_EQ(Memory(static_cast<std::uint32_t>(pid)).read(address(mark), into, sizeof into), 0u);
}

TEST(Memory, AFilterThatKillsIsNotProvoked) {
  in_child([] {
    Memory memory;
    char byte = 0;
    EXPECT_TRUE(memory.read_all(address(&byte), &byte, 1));
    filter_reads(SECCOMP_RET_KILL_PROCESS);
    memory.look_again();
    expect_reads(memory);
  });
}

TEST(Memory, AFilterThatRefusesIsFoundOut) {
  in_child([] {
    Memory memory;
    char byte = 0;
    EXPECT_TRUE(memory.read_all(address(&byte), &byte, 1));
    filter_reads(SECCOMP_RET_ERRNO | EPERM);
    expect_reads(memory);
  });
}

TEST(Memory, WithoutTheFileThereIsThePipe) {
  in_child([] {
    if (getuid() == 0 && setresuid(65534, 65534, 65534) != 0) _exit(1);
    prctl(PR_SET_DUMPABLE, 0);
    expect_reads(Memory());
    filter_reads(SECCOMP_RET_ERRNO | EPERM);
    expect_reads(Memory());
  });
}

TEST(Memory, AForkedChildReadsItself) {
  static int value = 1;
  in_child([] {
    filter_reads(SECCOMP_RET_ERRNO | EPERM);  // so that a descriptor is kept
    Memory memory;
    int into = 0;
    EXPECT_TRUE(memory.read_all(address(&value), &into, sizeof into));
    in_child([&] {
      value = 2;
      memory.look_again();
      EXPECT_TRUE(memory.read_all(address(&value), &into, sizeof into));
      EXPECT_EQ(into, 2);
    });
  });
}

}  // namespace
}  // namespace impasse::system
