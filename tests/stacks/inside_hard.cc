// Threads whose stacks are hard to have from inside: one that spins, two 20,000 calls down (in a
// lock and in a read), one whose signal handler is blocked on top of a blocked read lock. Says
// "blocked" when all are. Ends by itself after some 20 seconds.
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cstdio>
#include <mutex>
#include <shared_mutex>

#define FRAME extern "C" __attribute__((noinline, used))

namespace {

constexpr int kDepth = 20'000;

std::mutex taken;
std::shared_mutex taken_exclusively;
int silent_pipe[2];
volatile int sink;

using Blocking = void (*)();

pthread_t start(const char* name, void* (*run)(void*)) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 32 << 20);
  pthread_t thread;
  if (pthread_create(&thread, &attributes, run, nullptr) != 0) _exit(1);
  pthread_setname_np(thread, name);
  pthread_attr_destroy(&attributes);
  return thread;
}

}  // namespace

FRAME void spin_inner(int rounds) {
  for (int i = 0; i != rounds; ++i) sink = sink + 1;
}
FRAME void spin_middle() {
  for (;;) spin_inner(1'000'000);
}
FRAME void* spin_thread(void*) {
  spin_middle();
  return nullptr;
}

FRAME void deep_lock() {
  taken.lock();
  sink = sink + 1;
}
FRAME void deep_read() {
  char byte;
  if (read(silent_pipe[0], &byte, 1) < 0) sink = sink + 1;
  sink = sink + 1;
}
FRAME void deep_call(Blocking block, int depth) {
  if (depth == 0) {
    block();
  } else {
    deep_call(block, depth - 1);
  }
  sink = sink + 1;
}
FRAME void* deep_lock_thread(void*) {
  deep_call(deep_lock, kDepth);
  sink = sink + 1;
  return nullptr;
}
FRAME void* deep_read_thread(void*) {
  deep_call(deep_read, kDepth);
  sink = sink + 1;
  return nullptr;
}

FRAME void handler_lock() {
  taken.lock();
  sink = sink + 1;
}
extern "C" void handler(int) {
  handler_lock();
  sink = sink + 1;
}
FRAME void reader_lock() {
  taken_exclusively.lock_shared();
  sink = sink + 1;
}
FRAME void* reader_thread(void*) {
  reader_lock();
  sink = sink + 1;
  return nullptr;
}

int main() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(20);
  taken.lock();
  taken_exclusively.lock();
  if (pipe(silent_pipe) != 0) return 1;
  struct sigaction action {};
  action.sa_handler = handler;
  sigaction(SIGUSR1, &action, nullptr);
  start("spinning", spin_thread);
  start("deep_lock", deep_lock_thread);
  start("deep_read", deep_read_thread);
  const pthread_t reader = start("reader", reader_thread);
  usleep(300'000);
  pthread_kill(reader, SIGUSR1);
  usleep(300'000);
  puts("blocked");
  fflush(stdout);
  for (;;) pause();
}
