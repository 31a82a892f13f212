// A program in a state that is known to the last detail, for reports about it: who holds, who
// waits, at which address.
//
// usage: stuck
// Prints one JSON line with addresses and thread numbers once every thread is on its way into its
// state, then stays there until it is killed (a minute at most).
#include <pthread.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace {

pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t given_back = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t recursive;
pthread_mutex_t orphan = PTHREAD_MUTEX_INITIALIZER;
pthread_rwlock_t written = PTHREAD_RWLOCK_INITIALIZER;
pthread_rwlock_t read_by_two = PTHREAD_RWLOCK_INITIALIZER;
pthread_spinlock_t spinning;
pthread_cond_t condition = PTHREAD_COND_INITIALIZER;

std::atomic<int> begun{0};
pthread_barrier_t all_held;

struct Actor {
  const char* name;
  void (*act)();
  bool holds_something;  // the others begin when these have what they hold
  long tid;
};

[[noreturn]] void sleep_for_ever() {
  for (;;) pause();
}

void hold_much() {
  pthread_mutex_lock(&mutex);
  pthread_rwlock_wrlock(&written);
  for (int i = 0; i < 3; ++i) pthread_mutex_lock(&recursive);
  pthread_spin_lock(&spinning);
  pthread_barrier_wait(&all_held);
  sleep_for_ever();
}
void hold_for_reading() {
  pthread_rwlock_rdlock(&read_by_two);
  pthread_barrier_wait(&all_held);
  sleep_for_ever();
}
void leave_a_mutex_locked() {
  pthread_mutex_lock(&orphan);
}
void want_the_mutex() {
  pthread_mutex_lock(&mutex);
}
void want_to_read() {
  pthread_rwlock_rdlock(&written);
}
void want_to_write() {
  pthread_rwlock_wrlock(&read_by_two);
}
void want_the_orphan() {
  pthread_mutex_lock(&orphan);
}
void wait_for_work() {
  pthread_mutex_lock(&given_back);
  for (;;) pthread_cond_wait(&condition, &given_back);
}

Actor actors[] = {
    {"holder", hold_much, true, 0},
    {"reader-1", hold_for_reading, true, 0},
    {"reader-2", hold_for_reading, true, 0},
    {"wants-mutex", want_the_mutex, false, 0},
    {"wants-read", want_to_read, false, 0},
    {"wants-write", want_to_write, false, 0},
    {"wants-orphan", want_the_orphan, false, 0},
    {"worker", wait_for_work, false, 0},
};

void* start(void* argument) {
  auto& actor = *static_cast<Actor*>(argument);
  pthread_setname_np(pthread_self(), actor.name);
  actor.tid = syscall(SYS_gettid);
  begun.fetch_add(1);
  actor.act();
  return nullptr;
}

}  // namespace

int main() {
  alarm(60);
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_RECURSIVE);
  pthread_mutex_init(&recursive, &attributes);
  pthread_spin_init(&spinning, PTHREAD_PROCESS_PRIVATE);
  pthread_barrier_init(&all_held, nullptr, 4);

  pthread_t gone;
  Actor leaver{"leaver", leave_a_mutex_locked, false, 0};
  pthread_create(&gone, nullptr, start, &leaver);
  pthread_join(gone, nullptr);

  pthread_t last{};
  for (Actor& actor : actors) {
    if (actor.holds_something) pthread_create(&last, nullptr, start, &actor);
  }
  pthread_barrier_wait(&all_held);
  for (Actor& actor : actors) {
    if (!actor.holds_something) pthread_create(&last, nullptr, start, &actor);
  }
  constexpr int kActors = sizeof actors / sizeof *actors;
  while (begun.load() < kActors + 1) usleep(1'000);

  std::printf("{\"main\": %ld, \"leaver\": %ld", syscall(SYS_gettid), leaver.tid);
  for (const Actor& actor : actors) std::printf(", \"%s\": %ld", actor.name, actor.tid);
  std::printf(
      ", \"locks\": {\"mutex\": \"%p\", \"given_back\": \"%p\", \"recursive\": \"%p\", \"orphan\": "
      "\"%p\"",
      static_cast<void*>(&mutex), static_cast<void*>(&given_back), static_cast<void*>(&recursive),
      static_cast<void*>(&orphan));
  std::printf(
      ", \"written\": \"%p\", \"read_by_two\": \"%p\", \"spinning\": \"%p\", \"condition\": "
      "\"%p\"}}\n",
      static_cast<void*>(&written), static_cast<void*>(&read_by_two),
      const_cast<void*>(static_cast<volatile void*>(&spinning)), static_cast<void*>(&condition));
  std::fflush(stdout);
  pthread_join(last, nullptr);  // the worker, which never ends
}
