// A process with one thread blocked in each of 22 ways, all under the same chain of frames that are
// hard to walk: chain_top → chain_array (of variable length) → chain_aligned (to 64 bytes) →
// chain_many (six arguments) → chain_pointer → a function that blocks.
// It ends by itself after some 20 seconds, and with whoever started it.
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/futex.h>

#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstring>
#include <mutex>
#include <shared_mutex>

#define FRAME extern "C" __attribute__((noinline, used))

namespace {

std::mutex taken;
std::shared_mutex taken_exclusively;
std::mutex condition_mutex;
std::condition_variable condition;
bool never = false;
int silent_pipe[2];
int silent_pair[2];
int futex_word;
sem_t semaphore;
FILE* locked_file;
pthread_t main_thread;
volatile int sink;

using Blocking = void (*)();

// Leaves old frames behind where the next function will have its own.
__attribute__((noinline)) int old_frames(int depth) {
  volatile char bytes[64];
  memset(const_cast<char*>(bytes), depth, sizeof bytes);
  return depth != 0 ? old_frames(depth - 1) + bytes[3] : 0;
}
using Old = int (*)(int);
__attribute__((noinline)) int old_through_pointer(Old function, int depth) {
  return function(depth) + sink;
}
__attribute__((noinline)) int old_frames_mixed(int (*through)(Old, int), int depth) {
  volatile char bytes[40];
  bytes[0] = static_cast<char>(depth);
  if (depth == 0) return 0;
  return through(old_frames, depth - 1) + old_frames_mixed(through, depth - 1) + bytes[0];
}

extern "C" void block_in_handler(int) {
  taken.lock();
  sink = sink + 1;
}

#define BLOCK(name) __attribute__((noinline)) void name()
// Something after the call, so that it is no jump.
#define AFTER sink = sink + 1

BLOCK(in_mutex) {
  taken.lock();
  AFTER;
}
BLOCK(in_shared) {
  std::shared_lock<std::shared_mutex> lock(taken_exclusively);
  AFTER;
}
BLOCK(in_condition) {
  std::unique_lock<std::mutex> lock(condition_mutex);
  condition.wait(lock, [] { return never; });
  AFTER;
}
BLOCK(in_condition_for) {
  std::unique_lock<std::mutex> lock(condition_mutex);
  condition.wait_for(lock, std::chrono::seconds(100), [] { return never; });
  AFTER;
}
BLOCK(in_join) {
  pthread_join(main_thread, nullptr);
  AFTER;
}
BLOCK(in_signal) {
  raise(SIGUSR1);
  AFTER;
}
BLOCK(in_signal_aside) {
  static char stack[65536];
  stack_t aside{};
  aside.ss_sp = stack;
  aside.ss_size = sizeof stack;
  sigaltstack(&aside, nullptr);
  raise(SIGUSR2);
  AFTER;
}
BLOCK(in_read) {
  char bytes[16];
  if (read(silent_pipe[0], bytes, sizeof bytes) < 0) AFTER;
  AFTER;
}
BLOCK(in_receive) {
  char bytes[16];
  if (recv(silent_pair[0], bytes, sizeof bytes, 0) < 0) AFTER;
  AFTER;
}
BLOCK(in_read_to_array) {
  old_frames_mixed(old_through_pointer, 40);
  const int size = sink % 5 + 2000;
  char bytes[size];  // NOLINT: of variable length, which is the point
  if (read(silent_pipe[0], bytes, static_cast<size_t>(size)) < 0) AFTER;
  AFTER;
}
BLOCK(in_read_to_large) {
  old_frames_mixed(old_through_pointer, 40);
  char bytes[6000];
  if (read(silent_pipe[0], bytes, 16) < 0) AFTER;
  AFTER;
}
BLOCK(below_read_to_array) {
  in_read_to_array();
  AFTER;
}
BLOCK(below_read_to_large) {
  in_read_to_large();
  AFTER;
}
BLOCK(in_nanosleep) {
  timespec time{100, 0};
  nanosleep(&time, nullptr);
  AFTER;
}
BLOCK(in_poll) {
  pollfd wanted{silent_pipe[0], POLLIN, 0};
  poll(&wanted, 1, -1);
  AFTER;
}
BLOCK(in_epoll) {
  epoll_event event;
  epoll_wait(epoll_create1(0), &event, 1, -1);
  AFTER;
}
BLOCK(in_futex) {
  syscall(SYS_futex, &futex_word, FUTEX_WAIT_PRIVATE, 0, 0, 0, 0);
  AFTER;
}
BLOCK(in_semaphore) {
  sem_wait(&semaphore);
  AFTER;
}
BLOCK(in_stdio) {
  fputs("x", locked_file);
  AFTER;
}
BLOCK(in_waitpid) {
  waitpid(-1, nullptr, 0);
  AFTER;
}
BLOCK(in_usleep) {
  usleep(99'000'000);
  AFTER;
}
BLOCK(in_pause) {
  pause();
  AFTER;
}

struct Way {
  const char* name;
  Blocking block;
};
Way ways[] = {{"mutex", in_mutex},
              {"shared", in_shared},
              {"condition", in_condition},
              {"condition_for", in_condition_for},
              {"join", in_join},
              {"signal", in_signal},
              {"signal_aside", in_signal_aside},
              {"read", in_read},
              {"receive", in_receive},
              {"array", in_read_to_array},
              {"large", in_read_to_large},
              {"below_array", below_read_to_array},
              {"below_large", below_read_to_large},
              {"nanosleep", in_nanosleep},
              {"poll", in_poll},
              {"epoll", in_epoll},
              {"futex", in_futex},
              {"semaphore", in_semaphore},
              {"stdio", in_stdio},
              {"waitpid", in_waitpid},
              {"usleep", in_usleep},
              {"pause", in_pause}};

}  // namespace

FRAME void chain_pointer(Blocking block, int more) {
  block();
  sink = sink + more;
}

FRAME void chain_many(Blocking block, int a, int b, int c, int d, int e) {
  const int v = a * sink, w = b + sink, x = c ^ sink, y = d - sink, z = e | sink;
  chain_pointer(block, v);
  sink = v + w * x - y * z + a + b + c + d + e;
}

FRAME void chain_aligned(Blocking block) {
  alignas(64) float values[64];
  for (float& value : values) value = static_cast<float>(sink);
  __asm__ volatile("" ::"r"(values) : "memory");
  chain_many(block, 1, 2, 3, 4, 5);
  __asm__ volatile("" ::"r"(values) : "memory");
  sink = sink + static_cast<int>(values[3]);
}

FRAME void chain_array(Blocking block, int size) {
  char bytes[size];  // NOLINT: of variable length, which is the point
  memset(bytes, 1, static_cast<size_t>(size));
  chain_aligned(block);
  __asm__ volatile("" ::"r"(bytes) : "memory");
}

FRAME void chain_top(Blocking block) {
  chain_array(block, sink % 7 + 300);
  AFTER;
}

FRAME void* chain_thread(void* argument) {
  const Way& way = *static_cast<Way*>(argument);
  pthread_setname_np(pthread_self(), way.name);
  chain_top(way.block);
  return nullptr;
}

int main() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(20);
  taken.lock();
  taken_exclusively.lock();
  if (pipe(silent_pipe) != 0 || socketpair(AF_UNIX, SOCK_STREAM, 0, silent_pair) != 0) return 1;
  sem_init(&semaphore, 0, 0);
  locked_file = fopen("/dev/null", "w");
  flockfile(locked_file);
  struct sigaction action {};
  action.sa_handler = block_in_handler;
  sigaction(SIGUSR1, &action, nullptr);
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR2, &action, nullptr);
  if (fork() == 0) {  // somebody to wait for
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    alarm(20);
    for (int fd = 0; fd < 3; ++fd) close(fd);
    for (;;) pause();
  }
  main_thread = pthread_self();
  for (Way& way : ways) {
    pthread_t thread;
    if (pthread_create(&thread, nullptr, chain_thread, &way) != 0) return 1;
  }
  for (;;) pause();
}
