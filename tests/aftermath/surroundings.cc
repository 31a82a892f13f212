#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "actor.h"

namespace actor {
namespace {

std::atomic<int> signals_seen{0};
std::string text_at_exit;

void must(bool well, const char* what) {
  if (well) return;
  std::fprintf(stderr, "%s: %s\n", what, std::strerror(errno));
  std::_Exit(3);
}

void a_moment() {
  timespec moment{0, 2'000'000};
  while (nanosleep(&moment, &moment) != 0) {
  }
}

bool is_there(const char* path) {
  return access(path, F_OK) == 0;
}

void limit(__rlimit_resource which, const char* value) {
  const rlimit both{std::strtoul(value, nullptr, 10), std::strtoul(value, nullptr, 10)};
  must(setrlimit(which, &both) == 0, "setrlimit");
}

}  // namespace

void await_file(const char* path) {
  while (!is_there(path)) a_moment();
}

void await_end_of_file(const char* path) {
  while (is_there(path)) a_moment();
}

void await_signals(const char* number) {
  while (signals_seen < std::atoi(number)) a_moment();
}

void say(const char* text) {
  const std::string line = std::string(text) + "\n";
  must(write(STDOUT_FILENO, line.data(), line.size()) > 0, "write");
}

void print(const char* text) {
  std::printf("%s\n", text);
}

void print_at_exit(const char* text) {
  text_at_exit = text;
  std::atexit([] { std::printf("%s\n", text_at_exit.c_str()); });
}

void exit_with(const char* status) {
  std::exit(std::atoi(status));
}

void change_directory(const char* path) {
  must(chdir(path) == 0, "chdir");
}

void change_umask(const char* octal) {
  umask(static_cast<mode_t>(std::strtoul(octal, nullptr, 8)));
}

// The signal for a file that would become too long is deadly, as by default.
void limit_files(const char* bytes) {
  limit(RLIMIT_FSIZE, bytes);
}

void limit_processes(const char* number) {
  limit(RLIMIT_NPROC, number);
}

void become_nobody(const char*) {
  constexpr uid_t kNobody = 65534;
  must(setresgid(kNobody, kNobody, kNobody) == 0, "setresgid");
  must(setresuid(kNobody, kNobody, kNobody) == 0, "setresuid");
}

void close_stderr(const char*) {
  close(STDERR_FILENO);
}

void replace_stderr(const char* path) {
  const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  must(fd >= 0 && dup2(fd, STDERR_FILENO) >= 0, path);
  close(fd);
}

void fill_stderr(const char*) {
  const int flags = fcntl(STDERR_FILENO, F_GETFL);
  must(fcntl(STDERR_FILENO, F_SETFL, flags | O_NONBLOCK) == 0, "fcntl");
  const char filler[4096] = {};
  while (write(STDERR_FILENO, filler, sizeof filler) > 0) {
  }
  while (write(STDERR_FILENO, filler, 1) > 0) {
  }
  must(fcntl(STDERR_FILENO, F_SETFL, flags) == 0, "fcntl");
}

void open_for_good(const char* path) {
  must(open(path, O_RDONLY) >= 0, path);  // NOLINT(android-cloexec-open): to be inherited
}

void handle_signal(const char* number) {
  struct sigaction action {};
  action.sa_handler = [](int) { ++signals_seen; };
  must(sigaction(std::atoi(number), &action, nullptr) == 0, "sigaction");
}

void ignore_signal(const char* number) {
  must(std::signal(std::atoi(number), SIG_IGN) != SIG_ERR, "signal");
}

// With every round the table of variables moves, or grows.
void change_environment_often(const char* rounds) {
  const int end = std::atoi(rounds);
  std::thread([end] {
    for (int i = 0; i < end; ++i) setenv(("FILLER_" + std::to_string(i)).c_str(), "x", 1);
  }).join();
}

void install_filter(const char* error) {
  const auto number = static_cast<unsigned>(std::atoi(error));
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | number),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog whole{static_cast<unsigned short>(std::size(program)), program};
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
  must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole) == 0, "seccomp");
}

void install_killing_filter(const char*) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_mincore, 2, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_pidfd_getfd, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  const sock_fprog whole{static_cast<unsigned short>(std::size(program)), program};
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
  must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &whole) == 0, "seccomp");
}

// In all threads, those that are not the program's as well.
void filter_reads(const char*) {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  };
  const sock_fprog whole{static_cast<unsigned short>(std::size(program)), program};
  must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no_new_privs");
  must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &whole) == 0,
       "seccomp");
}

// In all three ways. A child of its own would be an error of the test.
void look_for_children(const char* path) {
  while (!is_there(path)) {
    siginfo_t found{};
    const bool seen = waitpid(-1, nullptr, WNOHANG) >= 0 || errno != ECHILD ||
                      waitid(P_ALL, 0, &found, WEXITED | WNOHANG) == 0 || errno != ECHILD ||
                      waitid(P_ALL, 0, &found, WEXITED | WSTOPPED | WCONTINUED | WNOHANG) == 0;
    if (seen) say("a child was seen");
    a_moment();
  }
  if (signals_seen != 0) say("a signal was seen");
}

}  // namespace actor
