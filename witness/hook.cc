#include "witness/hook.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "system/proc_files.h"

extern char** environ;

namespace impasse::witness {
namespace {

constexpr std::size_t kStackBytes = 64 << 10;
constexpr std::uint64_t kMostNs = 5'000'000'000;

// The two processes below share our memory and this thread's own storage, errno included: raw
// system calls only, and nothing that writes to memory that is not their stack's.
long raw(long number, long a = 0, long b = 0, long c = 0, long d = 0) {
  long result = number;
  register long r10 __asm__("r10") = d;
  __asm__ volatile("syscall"
                   : "+a"(result)
                   : "D"(a), "S"(b), "d"(c), "r"(r10)
                   : "rcx", "r11", "memory");
  return result;
}
long raw(long number, const void* a, const void* b, const void* c) {
  return raw(number, reinterpret_cast<long>(a), reinterpret_cast<long>(b),
             reinterpret_cast<long>(c));
}

struct Plan {
  const char* program;
  char* const* arguments;
  char* const* environment;
  char* child_stack_end;
};

int become_program(void* argument) {
  const auto& plan = *static_cast<const Plan*>(argument);
  std::uint64_t none = 0;
  raw(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&none), 0, sizeof none);
  raw(SYS_execve, plan.program, plan.arguments, plan.environment);
  raw(SYS_exit, 127);
  return 127;
}

// The process in between. Our thread's table of descriptors is empty, and this is a copy of it.
int stand_between(void* argument) {
  auto& plan = *static_cast<Plan*>(argument);
  raw(SYS_close_range, 0, ~0U, 0);
  for (int i = 0; i < 3; ++i) {
    static constexpr char kNull[] = "/dev/null";
    raw(SYS_openat, AT_FDCWD, reinterpret_cast<long>(kNull), O_RDWR);
  }
  const int child =
      clone(become_program, plan.child_stack_end, CLONE_VM | CLONE_VFORK | SIGCHLD, &plan);
  if (child > 0) {
    while (raw(SYS_wait4, child, 0, __WALL) == -EINTR) {
    }
  }
  raw(SYS_exit_group, child > 0 ? 0 : 1);
  return 0;
}

std::vector<char*> environment_without_us() {
  std::vector<char*> variables;
  for (char** one = environ; one != nullptr && *one != nullptr; ++one) {
    const std::string_view text = *one;
    if (text.starts_with("LD_PRELOAD=") || text.starts_with("IMPASSE_OPTIONS=")) continue;
    variables.push_back(*one);
  }
  variables.push_back(nullptr);
  return variables;
}

bool filtered_by_seccomp() {
  char text[4096];
  std::size_t size = 0;
  if (system::ProcFiles().read("status", text, sizeof text, size) != 0) return false;
  return std::string_view(text, size).find("\nSeccomp:\t2") != std::string_view::npos;
}

}  // namespace

struct Hook::Launch {
  std::vector<std::string> words;
  std::vector<char*> pointers;
  std::vector<char*> variables;
  Plan plan;
};

Hook::Hook(std::string program)
    : program_(std::move(program)), launch_(std::make_unique<Launch>()) {}

Hook::~Hook() {
  if (between_ != 0) kill(between_, SIGKILL);
}

void Hook::run(std::vector<std::string> arguments) {
  if (!program_.empty() && waiting_.size() < kMostWaiting) {
    waiting_.push_back(std::move(arguments));
  }
}

bool Hook::reaped(std::uint64_t now_ns) {
  if (between_ == 0) return true;
  if (now_ns - started_ns_ > kMostNs) kill(between_, SIGKILL);
  const int answer = waitpid(between_, nullptr, __WCLONE | WNOHANG);
  if (answer == 0) return false;
  between_ = 0;
  return true;
}

std::string Hook::start(const std::vector<std::string>& arguments) {
  if (filtered_by_seccomp()) return "a filter of system calls is on, and it might not be allowed";
  if (stacks_ == nullptr) {
    void* const memory = mmap(nullptr, 2 * kStackBytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) return "there is no memory for it";
    stacks_ = memory;
  }
  // The last one has been reaped: nobody reads the old ones any more.
  auto& [words, pointers, variables, plan] = *launch_;
  words = arguments;
  words.insert(words.begin(), program_);
  pointers.clear();
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  variables = environment_without_us();
  char* const stacks = static_cast<char*>(stacks_);
  plan = {program_.c_str(), pointers.data(), variables.data(), stacks + kStackBytes};
  const int between = clone(stand_between, stacks + 2 * kStackBytes, CLONE_VM, &plan);
  if (between < 0) return std::string("no process could be had: ") + strerrordesc_np(errno);
  between_ = between;
  return {};
}

std::string Hook::tend(std::uint64_t now_ns) {
  if (waiting_.empty() && between_ == 0) return {};
  if (!reaped(now_ns) || waiting_.empty()) return {};
  started_ns_ = now_ns;
  const std::string trouble = start(waiting_.front());
  waiting_.pop_front();
  return trouble.empty() ? std::string() : "on_finding could not be run: " + trouble;
}

}  // namespace impasse::witness
