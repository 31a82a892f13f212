// The other ways to make a process out of a threaded one: vfork, exec, posix_spawn, system, popen,
// daemons, and clones in the same memory.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <thread>

#include "support/bystander.h"
#include "support/children.h"
#include "support/counting.h"
#include "support/driver.h"
#include "support/observed.h"

extern "C" char** environ;

namespace {

using transparency::Bystander;
using transparency::count_with_threads;
using transparency::end_of;
using transparency::error_name;
using transparency::require;
using transparency::say;

int wait_status(int status) {
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

void vfork_and_exec() {
  Bystander other;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  const pid_t runs = vfork();
  if (runs == 0) {
    execl("/bin/sh", "sh", "-c", "echo from the shell; exit 4", nullptr);
    _exit(127);
  }
  say("vfork + exec: %s", end_of(runs));
  const pid_t fails = vfork();
  if (fails == 0) {
    execl("/nowhere/to/be/found", "nothing", nullptr);
    _exit(127);
  }
  say("vfork + failing exec: %s", end_of(fails));
  const pid_t leaves = vfork();
  if (leaves == 0) _exit(6);
  say("vfork + _exit: %s", end_of(leaves));
  say("the mutex of before: unlock %s", error_name(pthread_mutex_unlock(&mutex)));
  say("parent: %d", count_with_threads(3));
}

void spawn_system_popen() {
  Bystander other;
  std::mutex mutex;
  const std::scoped_lock held(mutex);
  char shell[] = "sh";
  char option[] = "-c";
  char script[] = "echo spawned; exit 7";
  char* arguments[] = {shell, option, script, nullptr};
  pid_t child = 0;
  const int spawned = posix_spawn(&child, "/bin/sh", nullptr, nullptr, arguments, environ);
  const std::string end = end_of(child);
  say("posix_spawn %s, the child: %s", error_name(spawned), end.c_str());
  say("posix_spawn of nothing %s",
      error_name(posix_spawn(&child, "/nowhere", nullptr, nullptr, arguments, environ)));
  say("system %d", wait_status(system("echo from system; exit 8")));
  FILE* stream = popen("echo from popen; exit 9", "r");
  require(stream, "popen");
  char line[64] = {};
  require(fgets(line, sizeof line, stream), "a line from popen");
  line[std::strcspn(line, "\n")] = '\0';
  say("popen said \"%s\", pclose %d", line, wait_status(pclose(stream)));
}

// The daemon goes on when its parent and grandparent do not wait for it; a pipe tells its end.
void daemon_like() {
  Bystander other;
  int ends[2];
  require(pipe(ends) == 0, "a pipe");
  const pid_t first = fork();
  if (first == 0) {
    setsid();
    if (fork() != 0) _exit(0);
    close(ends[0]);
    const int sum = count_with_threads(3);
    const bool told = write(ends[1], &sum, sizeof sum) == sizeof sum;
    exit(told ? 0 : 1);
  }
  close(ends[1]);
  const std::string end = end_of(first);
  int sum = 0;
  const bool heard = read(ends[0], &sum, sizeof sum) == sizeof sum;
  char more = 0;
  const bool over = read(ends[0], &more, 1) == 0;
  say("first child: %s, daemon counted %d, heard %d, over %d", end.c_str(), sum, heard, over);
}

// A child in the same memory, on its own stack, with its parent stopped: what posix_spawn does.
void clone_in_same_memory() {
  Bystander other;
  static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  static int sum = 0;
  constexpr size_t kStack = 256 * 1024;
  void* stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(stack != MAP_FAILED, "a stack");
  const auto child_body = [](void*) -> int {
    for (int i = 0; i < 100; ++i) {
      pthread_mutex_lock(&mutex);
      ++sum;
      pthread_mutex_unlock(&mutex);
    }
    _exit(11);
  };
  for (int i = 0; i < 20; ++i) {
    const pid_t child = clone(child_body, static_cast<char*>(stack) + kStack,
                              CLONE_VM | CLONE_VFORK | SIGCHLD, nullptr);
    require(child > 0 && std::strcmp(end_of(child), "exit 11") == 0, "the clone ends as it should");
  }
  munmap(stack, kStack);
  say("sum %d, trylock %s", sum, error_name(pthread_mutex_trylock(&mutex)));
  pthread_mutex_unlock(&mutex);
  say("parent: %d", count_with_threads(2));
}

// What exec-of-itself goes on as; a case like any other besides.
void after_exec() {
  say("after exec: %d", count_with_threads(3));
}

// The same process goes on as another program while a thread holds a lock and others wait.
void exec_of_itself() {
  Bystander holder;
  static std::mutex mutex;
  holder.run([] { mutex.lock(); });
  std::thread([] { mutex.lock(); }).detach();
  std::thread([] {
    execl(transparency::own_path(), "spawning", "after-exec", nullptr);
    require(false, "exec");
  }).join();
}

constexpr transparency::Case kCases[] = {
    {"vfork-and-exec", vfork_and_exec}, {"spawn-system-popen", spawn_system_popen},
    {"daemon-like", daemon_like},       {"clone-in-same-memory", clone_in_same_memory},
    {"exec-of-itself", exec_of_itself}, {"after-exec", after_exec},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
