// What a program finds around itself: descriptors, signal dispositions and masks, limits, threads,
// stacks, names, environment. And programs that work in a narrow place: few descriptors, little
// memory, small stacks, no files.
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/single_threaded.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "support/bystander.h"
#include "support/deadline.h"
#include "support/driver.h"
#include "support/observed.h"

extern "C" char** environ;

namespace {

using transparency::Bystander;
using transparency::error_name;
using transparency::require;
using transparency::say;

// Threads, nesting, contention and a timed-out wait: enough to wake a detector up.
long lock_a_lot() {
  std::mutex first;
  std::mutex second;
  std::shared_mutex shared;
  std::condition_variable cond;
  long sum = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 500; ++n) {
        const std::scoped_lock outer(first);
        const std::shared_lock reading(shared);
        const std::scoped_lock inner(second);
        ++sum;
      }
      std::unique_lock lock(second);
      cond.wait_for(lock, std::chrono::milliseconds(2));
    });
  }
  for (std::thread& thread : threads) thread.join();
  return sum;
}

std::string open_descriptors() {
  std::set<int> open;
  for (int descriptor = 0; descriptor < 1'024; ++descriptor) {
    if (fcntl(descriptor, F_GETFD) != -1) open.insert(descriptor);
  }
  std::string text;
  for (const int descriptor : open) text += " " + std::to_string(descriptor);
  return text;
}

// What stays open; what is open for a moment only is the next case's business.
std::string lasting_descriptors() {
  std::string seen = open_descriptors();
  for (int look = 0; look < 100; ++look) seen = std::min(seen, open_descriptors());
  return seen;
}

void descriptors() {
  say("at start:%s", open_descriptors().c_str());
  Bystander other;
  say("with a thread:%s", lasting_descriptors().c_str());
  const long sum = lock_a_lot();
  say("after %ld locks:%s", sum, lasting_descriptors().c_str());
}

// A program that closes a descriptor and opens a file gets the same number, whoever else is there:
// many depend on it to replace their standard descriptors.
void next_descriptor() {
  constexpr int kThreads = 12;
  int others = 0;
  for (int i = 0; i < kThreads; ++i) {
    // A new thread is what somebody might want to read about in a file.
    const Bystander newcomer;
    const auto begin = std::chrono::steady_clock::now();
    while (std::chrono::steady_clock::now() - begin < std::chrono::milliseconds(80)) {
      const int opened = open("/dev/null", O_RDONLY | O_CLOEXEC);
      others += opened != 3;
      close(opened);
    }
  }
  say("always descriptor 3: %d", others == 0);
}

std::string dispositions_now() {
  std::string text;
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction action {};
    if (sigaction(signal, nullptr, &action) != 0) {
      text += 'x';
    } else {
      text += action.sa_handler == SIG_DFL ? 'd' : action.sa_handler == SIG_IGN ? 'i' : 'h';
    }
  }
  return text;
}

std::string mask_now() {
  sigset_t blocked;
  sigset_t pending;
  pthread_sigmask(SIG_SETMASK, nullptr, &blocked);
  sigpending(&pending);
  std::string text;
  for (int signal = 1; signal < NSIG; ++signal) {
    if (sigismember(&blocked, signal) == 1) text += " blocked " + std::to_string(signal);
    if (sigismember(&pending, signal) == 1) text += " pending " + std::to_string(signal);
  }
  return text.empty() ? " none" : text;
}

void signals() {
  say("dispositions at start %s, mask%s", dispositions_now().c_str(), mask_now().c_str());
  Bystander other;
  say("dispositions with a thread %s", dispositions_now().c_str());
  sigset_t some;
  sigemptyset(&some);
  sigaddset(&some, SIGUSR2);
  sigaddset(&some, SIGRTMIN + 5);
  pthread_sigmask(SIG_BLOCK, &some, nullptr);
  std::thread([] { say("a thread's mask%s", mask_now().c_str()); }).join();
  other.run([] { say("an earlier thread's mask%s", mask_now().c_str()); });
  const long sum = lock_a_lot();
  say("dispositions after %ld locks %s, mask%s", sum, dispositions_now().c_str(),
      mask_now().c_str());
}

int tasks() {
  int count = 0;
  DIR* directory = opendir("/proc/self/task");
  require(directory, "/proc/self/task");
  while (const dirent* entry = readdir(directory)) count += entry->d_name[0] != '.';
  closedir(directory);
  return count;
}

// A program that makes no thread has none, and glibc may go on doing without atomics.
void alone() {
  std::mutex mutex;
  std::shared_mutex shared;
  for (int i = 0; i < 1'000; ++i) {
    const std::scoped_lock lock(mutex);
    const std::shared_lock reading(shared);
  }
  say("tasks %d, single-threaded %d", tasks(), __libc_single_threaded);
}

void process() {
  char name[16] = {};
  prctl(PR_GET_NAME, name);
  rlimit stack{};
  getrlimit(RLIMIT_STACK, &stack);
  say("name %s, dumpable %d, death signal kept, timer slack %d, personality %x", name,
      prctl(PR_GET_DUMPABLE), prctl(PR_GET_TIMERSLACK), personality(0xffffffff));
  for (int resource = 0; resource < RLIMIT_NLIMITS; ++resource) {
    rlimit limit{};
    getrlimit(static_cast<__rlimit_resource_t>(resource), &limit);
    say("limit %d: %lu of %lu", resource, limit.rlim_cur, limit.rlim_max);
  }
  const mode_t mask = umask(0);
  umask(mask);
  cpu_set_t allowed;
  sched_getaffinity(0, sizeof allowed, &allowed);
  say("umask %o, policy %d, nice %d, processors %d", mask, sched_getscheduler(0),
      getpriority(PRIO_PROCESS, 0), CPU_COUNT(&allowed));
  int names = 0;
  for (char** variable = environ; *variable; ++variable) {
    const std::string_view text = *variable;
    if (text.starts_with("LD_PRELOAD=")) continue;
    ++names;
    if (text.starts_with("IMPASSE")) say("%s", *variable);
  }
  say("variables besides LD_PRELOAD: %d", names);
}

void threads_attributes() {
  const auto tell = [](const char* which) {
    pthread_attr_t attr;
    require(pthread_getattr_np(pthread_self(), &attr) == 0, "attributes");
    size_t stack = 0;
    size_t guard = 0;
    void* base = nullptr;
    int detached = 0;
    int policy = 0;
    sched_param param{};
    char name[16] = {};
    pthread_attr_getstack(&attr, &base, &stack);
    pthread_attr_getguardsize(&attr, &guard);
    pthread_attr_getdetachstate(&attr, &detached);
    pthread_getschedparam(pthread_self(), &policy, &param);
    pthread_getname_np(pthread_self(), name, sizeof name);
    stack_t alternate{};
    sigaltstack(nullptr, &alternate);
    say("%s: stack %zu, guard %zu, detached %d, policy %d, priority %d, name %s, alternate %d",
        which, stack, guard, detached == PTHREAD_CREATE_DETACHED, policy, param.sched_priority,
        name, alternate.ss_flags);
    pthread_attr_destroy(&attr);
  };
  std::thread([&] { tell("a thread"); }).join();
  pthread_setname_np(pthread_self(), "renamed");
  std::thread([&] { tell("a thread after renaming"); }).join();
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, 512 * 1024);
  pthread_attr_setguardsize(&attr, 8192);
  pthread_t thread{};
  const auto body = [](void* data) -> void* {
    (*static_cast<decltype(tell)*>(data))("a thread with attributes");
    return nullptr;
  };
  pthread_create(&thread, &attr, body, const_cast<void*>(static_cast<const void*>(&tell)));
  pthread_join(thread, nullptr);
}

// As small a stack as glibc allows, for a thread that blocks, nests and waits.
void smallest_stacks() {
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, static_cast<size_t>(PTHREAD_STACK_MIN));
  struct Shared {
    pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_t inner = PTHREAD_MUTEX_INITIALIZER;
    pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
    pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
    long sum = 0;
  } shared;
  const auto body = [](void* data) -> void* {
    auto& me = *static_cast<Shared*>(data);
    for (int i = 0; i < 200; ++i) {
      pthread_mutex_lock(&me.outer);
      pthread_rwlock_rdlock(&me.rwlock);
      pthread_mutex_lock(&me.inner);
      ++me.sum;
      pthread_mutex_unlock(&me.inner);
      pthread_rwlock_unlock(&me.rwlock);
      const timespec past{.tv_sec = 1, .tv_nsec = 0};
      pthread_cond_timedwait(&me.cond, &me.outer, &past);
      pthread_mutex_unlock(&me.outer);
    }
    return nullptr;
  };
  pthread_t threads[20];
  for (pthread_t& thread : threads) {
    require(pthread_create(&thread, &attr, body, &shared) == 0, "a thread on a small stack");
  }
  for (const pthread_t thread : threads) pthread_join(thread, nullptr);
  say("sum %ld", shared.sum);
}

void limit(__rlimit_resource_t resource, rlim_t value) {
  const rlimit both{.rlim_cur = value, .rlim_max = value};
  require(setrlimit(resource, &both) == 0, "a limit is set");
}

void little_address_space() {
  limit(RLIMIT_AS, rlim_t{160} << 20);
  say("sum %ld", lock_a_lot());
}

void no_descriptors() {
  limit(RLIMIT_NOFILE, 3);
  say("sum %ld", lock_a_lot());
  say("open %s", open("/dev/null", O_RDONLY) < 0 ? error_name(errno) : "worked");
}

// Not even a line of its own may be written to a file then: all is said before.
void no_file_may_grow() {
  say("ok");
  limit(RLIMIT_FSIZE, 0);
  _exit(lock_a_lot() == 2'000 ? 0 : 1);
}

// As a daemon does: whatever is open is closed, whoever opened it, and the numbers are used again.
void all_descriptors_closed() {
  Bystander other;
  lock_a_lot();
  close_range(3, ~0U, 0);
  char path[] = "file.XXXXXX";
  const int file = mkstemp(path);
  unlink(path);
  require(write(file, "mine", 4) == 4, "a file of our own");
  const long sum = lock_a_lot();
  struct stat status {};
  fstat(file, &status);
  say("sum %ld, the file has %ld bytes", sum, static_cast<long>(status.st_size));
}

// The heap is as long as the program itself has made it by now.
void heap() {
  char text[1'024] = {};
  const int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  require(read(file, text, sizeof text - 1) > 0, "/proc/self/stat");
  close(file);
  // After the name in brackets comes field 3; where the heap began is field 47.
  char* rest = std::strrchr(text, ')') + 1;
  std::uint64_t begin = 0;
  for (int field = 3; field <= 47; ++field) {
    rest += std::strspn(rest, " ");
    begin = std::strtoull(rest, nullptr, 10);
    rest += std::strcspn(rest, " ");
  }
  require(begin != 0, "where the heap began");
  say("heap: %llu",
      static_cast<unsigned long long>(reinterpret_cast<std::uint64_t>(sbrk(0)) - begin));
}

// Descriptors 0 to 2 are free for whoever opens next: a file must not become somebody's stderr.
void standard_descriptors_closed() {
  const int kept = fcntl(STDOUT_FILENO, F_DUPFD, 50);
  for (const int standard : {0, 1, 2}) close(standard);
  lock_a_lot();
  const std::string open_now = lasting_descriptors();
  dup2(kept, STDOUT_FILENO);
  say("open in between:%s", open_now.c_str());
}

constexpr transparency::Case kCases[] = {
    {"descriptors", descriptors},
    {"next-descriptor", next_descriptor},
    {"signals", signals},
    {"alone", alone},
    {"process", process},
    {"threads-attributes", threads_attributes},
    {"smallest-stacks", smallest_stacks},
    {"little-address-space", little_address_space},
    {"no-descriptors", no_descriptors},
    {"no-file-may-grow", no_file_may_grow},
    {"all-descriptors-closed", all_descriptors_closed},
    {"standard-descriptors-closed", standard_descriptors_closed},
    {"heap", heap},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
