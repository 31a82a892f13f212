#include "witness/hook.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <string_view>

#include "system/call_filter.h"
#include "system/memory.h"
#include "system/proc_files.h"

namespace impasse::witness {
namespace {

constexpr std::size_t kStackBytes = 64 << 10;
constexpr std::uint64_t kMostNs = 5'000'000'000;

// The two processes below share our memory and this thread's own storage, errno included: raw
// system calls only, and nothing that writes to memory that is not their stack's or the plan's.
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
  long process;              // ours
  std::atomic<bool> done;    // it has become the program, or never will
  std::atomic<int> trouble;  // why not: an error number
  std::atomic<int> status;   // as wait4() tells how it ended; kUnknown: it goes on
};
constexpr int kUnknown = -1;

// As the kernel has it.
struct KernelAction {
  void (*handler)(int);
  unsigned long flags;
  void (*restorer)();
  std::uint64_t mask;
};

// Before signals are let in: the program's handlers would run here, in the program's memory. What
// it ignores stays ignored, but for the two that a script counts on.
void take_default_actions() {
  for (int number = 1; number < NSIG; ++number) {
    KernelAction action{};
    raw(SYS_rt_sigaction, number, 0, reinterpret_cast<long>(&action), sizeof action.mask);
    if (action.handler == SIG_IGN && number != SIGCHLD && number != SIGPIPE) continue;
    action = {};
    raw(SYS_rt_sigaction, number, reinterpret_cast<long>(&action), 0, sizeof action.mask);
  }
}

int become_program(void* argument) {
  auto& plan = *static_cast<Plan*>(argument);
  take_default_actions();
  std::uint64_t none = 0;
  raw(SYS_rt_sigprocmask, SIG_SETMASK, reinterpret_cast<long>(&none), 0, sizeof none);
  const long error = raw(SYS_execve, plan.program, plan.arguments, plan.environment);
  plan.trouble.store(static_cast<int>(-error), std::memory_order_relaxed);
  raw(SYS_exit, 127);
  return 127;
}

// The process in between. Our thread's table of descriptors is empty, and this is a copy of it.
int stand_between(void* argument) {
  auto& plan = *static_cast<Plan*>(argument);
  // With our thread, however it ends: else the memory of a program that is gone stays.
  raw(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
  if (raw(SYS_getppid) != plan.process) raw(SYS_exit_group, 1);
  raw(SYS_close_range, 0, ~0U, 0);
  for (int i = 0; i < 3; ++i) {
    static constexpr char kNull[] = "/dev/null";
    raw(SYS_openat, AT_FDCWD, reinterpret_cast<long>(kNull), O_RDWR);
  }
  const int child =
      clone(become_program, plan.child_stack_end, CLONE_VM | CLONE_VFORK | SIGCHLD, &plan);
  if (child < 0) plan.trouble.store(EAGAIN, std::memory_order_relaxed);
  plan.done.store(true, std::memory_order_release);
  if (child > 0) {
    int status = kUnknown;
    long ended = -EINTR;
    while (ended == -EINTR) {
      ended = raw(SYS_wait4, child, reinterpret_cast<long>(&status), __WALL);
    }
    if (ended == child) plan.status.store(status, std::memory_order_relaxed);
  }
  raw(SYS_exit_group, child > 0 ? 0 : 1);
  return 0;
}

// False: there is no such text any more.
bool read_text(const system::Memory& memory, const char* from, std::string& text) {
  constexpr std::size_t kPiece = 1024;
  constexpr std::size_t kMost = 128 << 10;  // execve() takes no longer ones
  text.clear();
  char piece[kPiece];
  while (text.size() < kMost) {
    const auto address = reinterpret_cast<std::uint64_t>(from) + text.size();
    // Not over the end of a page: behind the last text of all there is no memory.
    const std::size_t bytes = std::min(kPiece, 4096 - address % 4096);
    const std::size_t n = memory.read(address, piece, bytes);
    if (n == 0) return false;
    const std::size_t length = strnlen(piece, n);
    text.append(piece, length);
    if (length < n) return true;
  }
  return false;
}

// The program's threads may change it meanwhile, and free what it was in.
std::vector<std::string> variables_now(char** all) {
  constexpr std::size_t kMost = 10'000;
  const system::Memory memory;
  std::vector<std::string> variables;
  std::string text;
  for (std::size_t i = 0; all != nullptr && i < kMost; ++i) {
    const char* one = nullptr;
    if (!memory.read_all(reinterpret_cast<std::uint64_t>(all + i), &one, sizeof one)) break;
    if (one == nullptr) break;
    if (!read_text(memory, one, text)) continue;
    if (text.starts_with("LD_PRELOAD=") || text.starts_with("IMPASSE_OPTIONS=")) continue;
    variables.push_back(text);
  }
  return variables;
}

// The program may move its table while it is read: what was read twice alike was there.
std::vector<std::string> environment_without_us() {
  constexpr unsigned kMostTries = 50;
  std::vector<std::string> before;
  for (unsigned i = 0; i < kMostTries; ++i) {
    char** const all = std::atomic_ref(environ).load(std::memory_order_acquire);
    std::vector<std::string> now = variables_now(all);
    const bool stayed = std::atomic_ref(environ).load(std::memory_order_acquire) == all;
    if (stayed && i != 0 && now == before) return now;
    before = stayed ? std::move(now) : std::vector<std::string>();
    const timespec step{0, 200'000};
    nanosleep(&step, nullptr);
  }
  return variables_now(environ);
}

void point_to(std::vector<std::string>& texts, std::vector<char*>& pointers) {
  pointers.clear();
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
}

}  // namespace

struct Hook::Launch {
  std::vector<std::string> words;
  std::vector<char*> arguments;
  std::vector<std::string> variables;
  std::vector<char*> environment;
  Plan plan{};
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
  if (waitpid(between_, nullptr, __WCLONE | WNOHANG) == 0) {
    // Still ours: its number is nobody else's.
    if (now_ns - started_ns_ > kMostNs) kill(between_, SIGKILL);
    return false;
  }
  between_ = 0;
  return true;
}

bool Hook::starting() const {
  return !waiting_.empty() ||
         (between_ != 0 && !launch_->plan.done.load(std::memory_order_acquire));
}

int Hook::trouble_of_last() {
  Plan& plan = launch_->plan;
  return plan.done.load(std::memory_order_acquire)
             ? plan.trouble.exchange(0, std::memory_order_relaxed)
             : 0;
}

std::string Hook::outcome_of_last() const {
  const int status = launch_->plan.status.load(std::memory_order_relaxed);
  if (status == kUnknown) return "still runs; it is looked after no longer";
  if (!WIFSIGNALED(status)) return "ended with status " + std::to_string(WEXITSTATUS(status));
  return "was ended by signal " + std::to_string(WTERMSIG(status));
}

std::string Hook::start(const std::vector<std::string>& arguments) {
  if (system::filtered()) return "a filter of system calls is on, and it might not be allowed";
  if (stacks_ == nullptr) {
    void* const memory = mmap(nullptr, 2 * kStackBytes, PROT_READ | PROT_WRITE,
                              MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    if (memory == MAP_FAILED) return "there is no memory for it";
    stacks_ = memory;
  }
  // The last one has been reaped: nobody reads the old ones any more.
  Launch& launch = *launch_;
  launch.words = arguments;
  launch.words.insert(launch.words.begin(), program_);
  point_to(launch.words, launch.arguments);
  launch.variables = environment_without_us();
  point_to(launch.variables, launch.environment);
  char* const stacks = static_cast<char*>(stacks_);
  Plan& plan = launch.plan;
  plan.program = program_.c_str();
  plan.arguments = launch.arguments.data();
  plan.environment = launch.environment.data();
  plan.child_stack_end = stacks + kStackBytes;
  plan.process = getpid();
  plan.done.store(false, std::memory_order_relaxed);
  plan.trouble.store(0, std::memory_order_relaxed);
  plan.status.store(kUnknown, std::memory_order_relaxed);
  const int between = clone(stand_between, stacks + 2 * kStackBytes, CLONE_VM, &plan);
  if (between < 0) return std::string("no process could be had: ") + strerrordesc_np(errno);
  between_ = between;
  return {};
}

Hook::News Hook::tend(std::uint64_t now_ns) {
  if (waiting_.empty() && between_ == 0) return {};
  const bool ran = between_ != 0;
  const bool free = reaped(now_ns);
  News news;
  if (const int error = trouble_of_last()) {
    failed_ = true;
    news.trouble = program_ + ": " + strerrordesc_np(error);
  } else if (ran && free && !failed_) {
    news.outcome = "on_finding: " + program_ + " " + outcome_of_last();
  }
  if (news.trouble.empty() && free && !waiting_.empty()) {
    started_ns_ = now_ns;
    failed_ = false;
    news.trouble = start(waiting_.front());
    waiting_.pop_front();
  }
  if (!news.trouble.empty()) news.trouble.insert(0, "on_finding could not be run: ");
  return news;
}

}  // namespace impasse::witness
