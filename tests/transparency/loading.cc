// Locks used outside main's life: before any library's constructors, between them, and after exit
// has begun. Everything is only noted where it happens, and said by the case.
#include <pthread.h>

#include <cstdlib>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "support/driver.h"
#include "support/observed.h"

namespace {

using transparency::error_name;
using transparency::say;

constexpr int kNotCalled = -1;
const char* shown(int result) {
  return result == kNotCalled ? "not called" : error_name(result);
}

// One round through every family of locks; constant-initialized, so usable at any time.
struct Round {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
  pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
  pthread_cond_t cond = PTHREAD_COND_INITIALIZER;
  int mutex_result = kNotCalled;
  int recursive_result = kNotCalled;
  int busy_result = kNotCalled;
  int rwlock_result = kNotCalled;
  int cond_result = kNotCalled;

  void go() {
    mutex_result = pthread_mutex_lock(&mutex);
    busy_result = pthread_mutex_trylock(&mutex);
    recursive_result = pthread_mutex_lock(&recursive) + pthread_mutex_lock(&recursive);
    rwlock_result = pthread_rwlock_rdlock(&rwlock) + pthread_rwlock_unlock(&rwlock) +
                    pthread_rwlock_wrlock(&rwlock) + pthread_rwlock_unlock(&rwlock);
    const timespec past{.tv_sec = 1, .tv_nsec = 0};
    cond_result = pthread_cond_timedwait(&cond, &mutex, &past);
    recursive_result += pthread_mutex_unlock(&recursive) + pthread_mutex_unlock(&recursive);
    mutex_result += pthread_mutex_unlock(&mutex);
  }

  void tell(const char* when) const {
    say("%s: mutex %s, trylock %s, recursive %s, rwlock %s, cond %s", when, shown(mutex_result),
        shown(busy_result), shown(recursive_result), shown(rwlock_result), shown(cond_result));
  }
};

constinit Round g_before_libraries;
constinit Round g_first_constructor;
constinit Round g_usual_constructor;
constinit Round g_first_thread;
// Taken before the constructors of all libraries, given back in main.
constinit pthread_mutex_t g_carried = PTHREAD_MUTEX_INITIALIZER;
constinit pthread_rwlock_t g_carried_rwlock = PTHREAD_RWLOCK_INITIALIZER;
bool g_say_at_end = false;

void before_libraries(int, char**, char**) {
  g_before_libraries.go();
  pthread_mutex_lock(&g_carried);
  pthread_rwlock_wrlock(&g_carried_rwlock);
}

__attribute__((section(".preinit_array"), used)) void (*const g_preinit)(int, char**,
                                                                         char**) = before_libraries;

__attribute__((constructor(101))) void first_constructor() {
  g_first_constructor.go();
}

__attribute__((constructor)) void usual_constructor() {
  g_usual_constructor.go();
  // Threads may exist long before main.
  pthread_t thread{};
  pthread_create(
      &thread, nullptr,
      [](void*) -> void* {
        g_first_thread.go();
        return nullptr;
      },
      nullptr);
  pthread_join(thread, nullptr);
}

__attribute__((destructor(101))) void last_destructor() {
  if (!g_say_at_end) return;
  Round round;
  round.go();
  round.tell("last destructor");
  std::thread([] {
    Round own;
    own.go();
    own.tell("a thread of the last destructor");
  }).join();
  say("ok");
}

struct GlobalObject {
  std::mutex mutex;
  std::shared_mutex shared;
  int rounds = 0;
  GlobalObject() { use(); }
  ~GlobalObject() {
    use();
    if (g_say_at_end) say("a global object's destructor: rounds %d", rounds);
  }
  void use() {
    const std::scoped_lock both(mutex, shared);
    ++rounds;
  }
} g_object;

void before_main() {
  g_before_libraries.tell("before all constructors");
  g_first_constructor.tell("first constructor");
  g_usual_constructor.tell("usual constructor");
  g_first_thread.tell("a constructor's thread");
  say("global object: rounds %d", g_object.rounds);
  const int results[] = {
      pthread_mutex_trylock(&g_carried),        pthread_mutex_unlock(&g_carried),
      pthread_mutex_lock(&g_carried),           pthread_rwlock_tryrdlock(&g_carried_rwlock),
      pthread_rwlock_unlock(&g_carried_rwlock), pthread_rwlock_wrlock(&g_carried_rwlock)};
  for (const int result : results) say("carried into main: %s", error_name(result));
}

void after_main() {
  g_say_at_end = true;
  static Round at_exit_round;
  std::atexit([] {
    at_exit_round.go();
    at_exit_round.tell("handler");
  });
}

constexpr transparency::Case kCases[] = {
    {"before-main", before_main},
    {"after-main", after_main},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
