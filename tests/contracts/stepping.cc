// A signal handler that locks, at every single instruction of locking and unlocking: the
// processor's trap flag makes each instruction deliver SIGTRAP, whose handler takes and releases
// locks of its own. Afterwards nothing may have been lost: the locks must still exclude, and (under
// the preload) the ledger must still balance.
#include <pthread.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

namespace {

pthread_mutex_t program_locks[70];
pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
pthread_rwlock_t program_rwlock = PTHREAD_RWLOCK_INITIALIZER;
pthread_mutex_t handler_locks[3] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                                    PTHREAD_MUTEX_INITIALIZER};
pthread_rwlock_t handler_rwlock = PTHREAD_RWLOCK_INITIALIZER;
volatile long steps = 0;
volatile long failures = 0;

void expect(int answer) {
  if (answer != 0) failures = failures + 1;
}

void on_step(int) {
  steps = steps + 1;
  for (auto& m : handler_locks) expect(pthread_mutex_lock(&m));
  expect(pthread_rwlock_rdlock(&handler_rwlock));
  expect(pthread_mutex_unlock(&handler_locks[0]));  // out of order
  expect(pthread_rwlock_unlock(&handler_rwlock));
  expect(pthread_mutex_unlock(&handler_locks[2]));
  expect(pthread_mutex_unlock(&handler_locks[1]));
}

void set_trap_flag() {
  __asm__ volatile("pushfq\n\torq $0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
}
void clear_trap_flag() {
  __asm__ volatile("pushfq\n\tandq $~0x100, (%%rsp)\n\tpopfq" ::: "memory", "cc");
}

// In, out of order, recursive, shared, beyond the places of the slot.
void work() {
  for (int i = 0; i < 6; ++i) expect(pthread_mutex_lock(&program_locks[i]));
  for (const int i : {3, 0, 5, 1, 4, 2}) expect(pthread_mutex_unlock(&program_locks[i]));
  for (int i = 0; i < 3; ++i) expect(pthread_mutex_lock(&recursive));
  expect(pthread_rwlock_rdlock(&program_rwlock));
  expect(pthread_rwlock_rdlock(&program_rwlock));
  for (int i = 0; i < 3; ++i) expect(pthread_mutex_unlock(&recursive));
  expect(pthread_rwlock_unlock(&program_rwlock));
  expect(pthread_rwlock_unlock(&program_rwlock));
  expect(pthread_mutex_trylock(&program_locks[0]));
  expect(pthread_rwlock_wrlock(&program_rwlock));
  expect(pthread_mutex_unlock(&program_locks[0]));
  expect(pthread_rwlock_unlock(&program_rwlock));
}

void deep_work() {
  for (auto& m : program_locks) expect(pthread_mutex_lock(&m));
  for (auto& m : program_locks) expect(pthread_mutex_unlock(&m));
}

void* idle(void*) {
  pause();
  return nullptr;
}

// Whether the facts that the command shows of this process have a hold in them; -1: they could not
// be had.
int holds_left(const char* command) {
  char line[512];
  std::snprintf(line, sizeof line, "env -u LD_PRELOAD '%s' dump --facts %d", command, getpid());
  FILE* facts = popen(line, "r");
  if (facts == nullptr) return -1;
  bool threads = false;
  bool holds = false;
  while (std::fgets(line, sizeof line, facts) != nullptr) {
    threads = threads || std::strncmp(line, "thread ", 7) == 0;
    holds = holds ||
            (std::strncmp(line, "  holds ", 8) == 0 && std::strstr(line, "nothing") == nullptr);
  }
  return pclose(facts) == 0 && threads ? holds : -1;
}

}  // namespace

int main(int, char** arguments) {
  for (auto& m : program_locks) pthread_mutex_init(&m, nullptr);
  pthread_t thread{};
  pthread_create(&thread, nullptr, idle, nullptr);
  pthread_detach(thread);

  struct sigaction action {};
  action.sa_handler = on_step;
  sigaction(SIGTRAP, &action, nullptr);
  for (int round = 0; round < 3; ++round) {  // the first learns the orders, the others know them
    set_trap_flag();
    work();
    clear_trap_flag();
  }
  set_trap_flag();
  deep_work();
  clear_trap_flag();

  if (steps < 3000 || failures != 0) {
    std::printf("%ld steps, %ld failures\n", steps, failures);
    return 1;
  }
  for (auto& m : program_locks) {
    if (pthread_mutex_trylock(&m) != 0) return 2;
    pthread_mutex_unlock(&m);
  }
  if (const int left = holds_left(arguments[1]); left != 0) {
    std::printf("holds left: %d\n", left);
    return 3;
  }
  std::printf("ok\n");
  return 0;
}
