// Locks in memory shared with another process, which holds them, waits for them, or is killed.
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <new>
#include <string>

#include "outcomes/cases.h"
#include "outcomes/mutex_kinds.h"
#include "support/blocked.h"
#include "support/bystander.h"
#include "support/children.h"
#include "support/deadline.h"
#include "support/driver.h"
#include "support/observed.h"

namespace outcomes {
namespace {

using transparency::deadline;
using transparency::error_name;
using transparency::observe;
using transparency::Observed;
using transparency::require;
using transparency::say;
using transparency::When;

constexpr Attributes kSharedKinds[] = {
    kShared,
    kRobustShared,
    {.name = "inherit+shared", .protocol = PTHREAD_PRIO_INHERIT, .shared = PTHREAD_PROCESS_SHARED},
    {.name = "inherit+robust+shared",
     .robust = PTHREAD_MUTEX_ROBUST,
     .protocol = PTHREAD_PRIO_INHERIT,
     .shared = PTHREAD_PROCESS_SHARED},
};

template <typename Object>
class InSharedMemory {
 public:
  template <typename... Arguments>
  explicit InSharedMemory(Arguments&&... arguments) {
    void* memory =
        mmap(nullptr, sizeof(Object), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    require(memory != MAP_FAILED, "shared memory");
    object_ = new (memory) Object(arguments...);
  }
  ~InSharedMemory() { munmap(static_cast<void*>(object_), sizeof(Object)); }
  InSharedMemory(const InSharedMemory&) = delete;
  InSharedMemory& operator=(const InSharedMemory&) = delete;
  Object* operator->() { return object_; }

 private:
  Object* object_ = nullptr;
};

// A child that says when it has got somewhere, and goes on when told.
class Child {
 public:
  template <typename Body>
  explicit Child(Body body) {
    require(pipe(to_child_) == 0 && pipe(to_parent_) == 0, "pipes");
    pid_ = fork();
    require(pid_ >= 0, "fork");
    if (pid_ == 0) {
      body(*this);
      _exit(0);
    }
  }
  ~Child() {
    for (const int end : {to_child_[0], to_child_[1], to_parent_[0], to_parent_[1]}) close(end);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void tell_parent() { send(to_parent_[1]); }
  void wait_for_parent() { receive(to_child_[0]); }
  void tell() { send(to_child_[1]); }
  void wait() { receive(to_parent_[0]); }
  void kill_it() { ::kill(pid_, SIGKILL); }
  const char* end() { return transparency::end_of(pid_); }
  pid_t pid() const { return pid_; }

 private:
  static void send(int descriptor) {
    require(write(descriptor, "x", 1) == 1, "a word to the other process");
  }
  static void receive(int descriptor) {
    char word = 0;
    require(read(descriptor, &word, 1) == 1, "a word from the other process");
  }

  int to_child_[2]{};
  int to_parent_[2]{};
  pid_t pid_ = 0;
};

int near_lock(pthread_mutex_t* mutex) {
  const timespec until = deadline(CLOCK_REALTIME, When::kNear);
  return pthread_mutex_timedlock(mutex, &until);
}

void mutex_between_processes(const Attributes& attributes, const Type& type) {
  InSharedMemory<Mutex> mutex(attributes, type);
  Child child([&](Child& me) {
    pthread_mutex_lock(mutex->get());
    me.tell_parent();
    me.wait_for_parent();
    pthread_mutex_unlock(mutex->get());
    me.tell_parent();
    me.wait_for_parent();
    // Now the parent has it: sleep until it comes.
    pthread_mutex_lock(mutex->get());
    pthread_mutex_unlock(mutex->get());
  });
  child.wait();
  const int tried = try_and_release(mutex->get());
  const Observed timed = observe([&] { return near_lock(mutex->get()); });
  const int unlocked = type.checks() ? pthread_mutex_unlock(mutex->get()) : -1;
  child.tell();
  child.wait();
  const int locked = pthread_mutex_lock(mutex->get());
  child.tell();
  transparency::wait_until_blocked_on(child.pid(), child.pid(), mutex->get(),
                                      sizeof(pthread_mutex_t));
  const int released = pthread_mutex_unlock(mutex->get());
  const char* end = child.end();
  say("mutex %s %s | held by a process | trylock %s, timedlock %s, %s, unlock %s", attributes.name,
      type.name, error_name(tried), timed.name(), timed.errno_text(),
      unlocked < 0 ? "-" : error_name(unlocked));
  say("    handed over: lock %s, unlock %s, child: %s", error_name(locked), error_name(released),
      end);
}

void rwlock_between_processes() {
  struct Lock {
    pthread_rwlock_t lock;
    Lock() {
      pthread_rwlockattr_t attr;
      pthread_rwlockattr_init(&attr);
      pthread_rwlockattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
      pthread_rwlock_init(&lock, &attr);
      pthread_rwlockattr_destroy(&attr);
    }
  };
  InSharedMemory<Lock> shared;
  pthread_rwlock_t* lock = &shared->lock;
  Child child([&](Child& me) {
    pthread_rwlock_wrlock(lock);
    me.tell_parent();
    me.wait_for_parent();
    pthread_rwlock_unlock(lock);
    pthread_rwlock_rdlock(lock);
    me.tell_parent();
    me.wait_for_parent();
    pthread_rwlock_unlock(lock);
  });
  child.wait();
  const int written[] = {pthread_rwlock_tryrdlock(lock), pthread_rwlock_trywrlock(lock)};
  child.tell();
  child.wait();
  const int read[] = {pthread_rwlock_tryrdlock(lock), pthread_rwlock_trywrlock(lock)};
  pthread_rwlock_unlock(lock);
  child.tell();
  const int locked = pthread_rwlock_wrlock(lock);
  const char* end = child.end();
  say("rwlock shared | written by a process | tryrd %s, trywr %s | read: %s, %s | wrlock %s, "
      "child: %s",
      error_name(written[0]), error_name(written[1]), error_name(read[0]), error_name(read[1]),
      error_name(locked), end);
  pthread_rwlock_unlock(lock);
}

void cond_between_processes() {
  struct Meeting {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    pthread_spinlock_t spin;
    int turns = 0;
    Meeting() {
      pthread_mutexattr_t mutex_attr;
      pthread_mutexattr_init(&mutex_attr);
      pthread_mutexattr_setpshared(&mutex_attr, PTHREAD_PROCESS_SHARED);
      pthread_mutex_init(&mutex, &mutex_attr);
      pthread_condattr_t cond_attr;
      pthread_condattr_init(&cond_attr);
      pthread_condattr_setpshared(&cond_attr, PTHREAD_PROCESS_SHARED);
      pthread_cond_init(&cond, &cond_attr);
      pthread_spin_init(&spin, PTHREAD_PROCESS_SHARED);
    }
    void take_turns(int parity) {
      for (int i = 0; i < 50; ++i) {
        pthread_mutex_lock(&mutex);
        while (turns % 2 != parity) pthread_cond_wait(&cond, &mutex);
        pthread_spin_lock(&spin);
        ++turns;
        pthread_spin_unlock(&spin);
        pthread_cond_signal(&cond);
        pthread_mutex_unlock(&mutex);
      }
    }
  };
  InSharedMemory<Meeting> meeting;
  Child child([&](Child&) { meeting->take_turns(1); });
  meeting->take_turns(0);
  const char* end = child.end();
  say("cond shared | two processes took %d turns, child: %s", meeting->turns, end);
}

void owner_process_dies(const Attributes& attributes, const Type& type, bool waited_for) {
  InSharedMemory<Mutex> mutex(attributes, type);
  Child child([&](Child& me) {
    pthread_mutex_lock(mutex->get());
    me.tell_parent();
    me.wait_for_parent();
  });
  child.wait();
  Observed seen{};
  if (waited_for) {
    transparency::Bystander asker;
    int unlocked = 0;
    asker.start([&] {
      seen = observe([&] { return pthread_mutex_lock(mutex->get()); });
      pthread_mutex_consistent(mutex->get());
      unlocked = pthread_mutex_unlock(mutex->get());
    });
    transparency::wait_until_blocked_on(asker.tid(), mutex->get(), sizeof(pthread_mutex_t));
    child.kill_it();
    const char* end = child.end();
    asker.finish();
    say("mutex %s %s | its process is killed, waited for | child: %s, lock %s, %s, unlock %s",
        attributes.name, type.name, end, seen.name(), seen.errno_text(), error_name(unlocked));
  } else {
    child.kill_it();
    const char* end = child.end();
    const int tried = pthread_mutex_trylock(mutex->get());
    const int unlocked = tried == EOWNERDEAD ? pthread_mutex_unlock(mutex->get()) : -1;
    seen = observe([&] { return near_lock(mutex->get()); });
    say("mutex %s %s | its process was killed | child: %s, trylock %s, unlock %s, timedlock %s, %s",
        attributes.name, type.name, end, error_name(tried),
        unlocked < 0 ? "-" : error_name(unlocked), seen.name(), seen.errno_text());
  }
}

}  // namespace

void other_process_holds() {
  for (const Attributes& attributes : kSharedKinds) {
    for (const Type& type : every_type()) mutex_between_processes(attributes, type);
  }
  rwlock_between_processes();
  cond_between_processes();
}

void other_process_dies() {
  for (const Attributes& attributes : kSharedKinds) {
    for (const Type& type : every_type()) {
      owner_process_dies(attributes, type, false);
      if (attributes.robust == PTHREAD_MUTEX_ROBUST) owner_process_dies(attributes, type, true);
    }
  }
}

}  // namespace outcomes
