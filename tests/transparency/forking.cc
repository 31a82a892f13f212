// Forks of threaded processes: with locks held, with fork handlers, from any thread, by the
// hundred.
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <thread>
#include <vector>

#include "support/bystander.h"
#include "support/children.h"
#include "support/counting.h"
#include "support/driver.h"
#include "support/observed.h"

namespace {

using transparency::Bystander;
using transparency::count_with_threads;
using transparency::end_of;
using transparency::error_name;
using transparency::Gate;
using transparency::require;
using transparency::say;

// Runs `body` in a child and says how the child ended.
template <typename Body>
void in_child(const char* what, Body body) {
  const pid_t child = fork();
  require(child >= 0, "fork");
  if (child == 0) {
    body();
    exit(0);
  }
  say("%s: %s", what, end_of(child));
}

void threads_in_child() {
  Bystander other;
  say("parent: %d", count_with_threads(4));
  in_child("child", [] { say("child: %d", count_with_threads(4)); });
  in_child("child with a child", [] {
    say("child: %d", count_with_threads(2));
    in_child("grandchild", [] { say("grandchild: %d", count_with_threads(3)); });
    say("child: %d", count_with_threads(2));
  });
  say("parent: %d", count_with_threads(4));
}

void child_keeps_locks() {
  Bystander other;
  pthread_mutex_t normal = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_t recursive = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
  pthread_mutex_t errorcheck = PTHREAD_ERRORCHECK_MUTEX_INITIALIZER_NP;
  pthread_rwlock_t read = PTHREAD_RWLOCK_INITIALIZER;
  pthread_rwlock_t written = PTHREAD_RWLOCK_INITIALIZER;
  pthread_spinlock_t spin;
  pthread_spin_init(&spin, PTHREAD_PROCESS_PRIVATE);
  pthread_mutex_lock(&normal);
  pthread_mutex_lock(&recursive);
  pthread_mutex_lock(&recursive);
  pthread_mutex_lock(&errorcheck);
  pthread_rwlock_rdlock(&read);
  pthread_rwlock_wrlock(&written);
  pthread_spin_lock(&spin);
  in_child("child", [&] {
    const auto tell = [](const char* what, int result) {
      say("child: %s %s", what, error_name(result));
    };
    // The child is another thread to those that remember their owner.
    tell("normal unlock", pthread_mutex_unlock(&normal));
    tell("normal lock again", pthread_mutex_lock(&normal));
    tell("normal unlock", pthread_mutex_unlock(&normal));
    tell("recursive trylock", pthread_mutex_trylock(&recursive));
    tell("recursive unlock", pthread_mutex_unlock(&recursive));
    tell("errorcheck trylock", pthread_mutex_trylock(&errorcheck));
    tell("errorcheck unlock", pthread_mutex_unlock(&errorcheck));
    tell("read unlock", pthread_rwlock_unlock(&read));
    tell("read trywrlock", pthread_rwlock_trywrlock(&read));
    tell("read unlock", pthread_rwlock_unlock(&read));
    tell("written tryrdlock", pthread_rwlock_tryrdlock(&written));
    tell("spin unlock", pthread_spin_unlock(&spin));
    tell("spin trylock", pthread_spin_trylock(&spin));
    say("child: %d", count_with_threads(2));
  });
  const int unlocked[] = {pthread_mutex_unlock(&normal),    pthread_mutex_unlock(&recursive),
                          pthread_mutex_unlock(&recursive), pthread_mutex_unlock(&errorcheck),
                          pthread_rwlock_unlock(&read),     pthread_rwlock_unlock(&written),
                          pthread_spin_unlock(&spin)};
  for (const int result : unlocked) say("parent: unlock %s", error_name(result));
}

// The child may not wait for what a thread that it does not have was holding; it may look.
void others_hold_locks() {
  Bystander other;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
  other.run([&] {
    pthread_mutex_lock(&mutex);
    pthread_rwlock_rdlock(&rwlock);
  });
  in_child("child", [&] {
    say("child: mutex %s", error_name(pthread_mutex_trylock(&mutex)));
    say("child: rwlock for reading %s", error_name(pthread_rwlock_tryrdlock(&rwlock)));
    say("child: rwlock for writing %s", error_name(pthread_rwlock_trywrlock(&rwlock)));
    pthread_mutex_init(&mutex, nullptr);
    say("child: made anew, mutex %s", error_name(pthread_mutex_lock(&mutex)));
  });
  other.run([&] {
    pthread_mutex_unlock(&mutex);
    pthread_rwlock_unlock(&rwlock);
  });
  say("parent: mutex %s", error_name(pthread_mutex_trylock(&mutex)));
}

// Registered by a constructor, before main and before any thread.
pthread_mutex_t g_registry = PTHREAD_MUTEX_INITIALIZER;

// Noted, and said after the fork: parent and child run their handlers at the same time.
const char* g_notes[32];
int g_noted = 0;

void note(const char* what) {
  if (g_noted < 32) g_notes[g_noted++] = what;
}

void tell_notes(const char* who) {
  for (int i = 0; i < g_noted; ++i) say("%s noted: %s", who, g_notes[i]);
  g_noted = 0;
}

__attribute__((constructor)) void register_early() {
  pthread_atfork(
      [] {
        pthread_mutex_lock(&g_registry);
        note("early prepare");
      },
      [] {
        note("early parent");
        pthread_mutex_unlock(&g_registry);
      },
      [] {
        note("early child");
        pthread_mutex_unlock(&g_registry);
      });
}

pthread_mutex_t g_late = PTHREAD_MUTEX_INITIALIZER;
pthread_rwlock_t g_late_rwlock = PTHREAD_RWLOCK_INITIALIZER;

void register_late() {
  pthread_atfork(
      [] {
        pthread_mutex_lock(&g_late);
        pthread_rwlock_rdlock(&g_late_rwlock);
        note("late prepare");
      },
      [] {
        note("late parent");
        pthread_rwlock_unlock(&g_late_rwlock);
        pthread_mutex_unlock(&g_late);
      },
      [] {
        note("late child");
        pthread_rwlock_unlock(&g_late_rwlock);
        pthread_mutex_unlock(&g_late);
      });
}

void fork_handlers() {
  register_late();
  in_child("child without threads around", [] {
    tell_notes("child");
    say("child: registry %s", error_name(pthread_mutex_trylock(&g_registry)));
  });
  tell_notes("parent");
  Bystander other;
  in_child("child", [] {
    tell_notes("child");
    say("child: late %s", error_name(pthread_mutex_trylock(&g_late)));
    say("child: rwlock %s", error_name(pthread_rwlock_trywrlock(&g_late_rwlock)));
  });
  tell_notes("parent");
  say("parent: registry %s", error_name(pthread_mutex_trylock(&g_registry)));
}

// While others fight for them, the handlers' locks come to the child free every time.
void fork_handlers_in_traffic() {
  register_late();
  std::atomic<bool> stop{false};
  std::vector<std::thread> traffic;
  for (int i = 0; i < 3; ++i) {
    traffic.emplace_back([&] {
      while (!stop.load()) {
        pthread_mutex_lock(&g_late);
        pthread_rwlock_wrlock(&g_late_rwlock);
        pthread_rwlock_unlock(&g_late_rwlock);
        pthread_mutex_unlock(&g_late);
      }
    });
  }
  int good = 0;
  for (int i = 0; i < 50; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      _exit(pthread_mutex_lock(&g_late) + pthread_rwlock_wrlock(&g_late_rwlock) +
            pthread_mutex_lock(&g_registry));
    }
    good += std::strcmp(end_of(child), "exit 0") == 0;
  }
  stop = true;
  for (std::thread& one : traffic) one.join();
  say("good children %d", good);
}

// No handlers run, and the child has no more than async-signal-safe calls; glibc's uncontended lock
// works all the same.
void fork_without_handlers() {
  register_late();
  Bystander other;
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&mutex);
  const pid_t child = _Fork();
  if (child == 0) {
    const int results[] = {pthread_mutex_unlock(&mutex), pthread_mutex_lock(&mutex),
                           pthread_mutex_trylock(&mutex)};
    say("child: unlock %s, lock %s, trylock %s", error_name(results[0]), error_name(results[1]),
        error_name(results[2]));
    tell_notes("child");
    _exit(5);
  }
  say("child: %s", end_of(child));
  tell_notes("parent");
  pthread_mutex_unlock(&mutex);
}

// In the child the forking thread is the only one, whatever it was in the parent.
void out_of_a_thread() {
  struct Way {
    const char* name;
    void* (*leave)();
  };
  static const Way ways[] = {
      {"returns", []() -> void* { return nullptr; }},
      {"pthread_exit", []() -> void* { pthread_exit(nullptr); }},
      {"exit", []() -> void* { exit(3); }},
      {"_exit", []() -> void* { _exit(4); }},
      {"threads, then returns",
       []() -> void* {
         say("child: %d", count_with_threads(3));
         return nullptr;
       }},
  };
  for (const Way& way : ways) {
    struct Forker {
      const Way* way;
      pid_t child;
    } forker{&way, 0};
    pthread_t thread{};
    pthread_create(
        &thread, nullptr,
        [](void* data) -> void* {
          auto& me = *static_cast<Forker*>(data);
          me.child = fork();
          return me.child == 0 ? me.way->leave() : nullptr;
        },
        &forker);
    pthread_join(thread, nullptr);
    say("the thread's child %s: %s", way.name, end_of(forker.child));
  }
}

void storm() {
  constexpr int kForks = 100;
  Gate go;
  std::mutex mutex;
  int good = 0;
  std::vector<std::thread> forkers;
  for (int i = 0; i < 2; ++i) {
    forkers.emplace_back([&] {
      go.pass();
      for (int n = 0; n < kForks; ++n) {
        std::mutex own;
        const std::scoped_lock held(own);
        const pid_t child = fork();
        if (child == 0) {
          own.unlock();
          own.lock();
          if (n % 10 == 0) _exit(count_with_threads(2) == 2'000 ? 0 : 1);
          _exit(0);
        }
        const bool is_good = std::strcmp(end_of(child), "exit 0") == 0;
        const std::scoped_lock lock(mutex);
        good += is_good;
      }
    });
  }
  go.open();
  for (std::thread& forker : forkers) forker.join();
  say("good children %d", good);
}

constexpr transparency::Case kCases[] = {
    {"threads-in-child", threads_in_child},
    {"child-keeps-locks", child_keeps_locks},
    {"others-hold-locks", others_hold_locks},
    {"fork-handlers", fork_handlers},
    {"fork-handlers-in-traffic", fork_handlers_in_traffic},
    {"fork-without-handlers", fork_without_handlers},
    {"out-of-a-thread", out_of_a_thread},
    {"storm", storm},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
