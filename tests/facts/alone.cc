// Programs with one thread, which is stuck for good in most of these: they end when they are
// killed.
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "blocked.h"
#include "children.h"
#include "expected.h"
#include "locks.h"
#include "situation.h"

namespace facts {
namespace {

Expected stuck(const volatile void* lock) {
  return Expected().number("thread", getpid()).number("stuck", 1).address("lock", lock);
}

void alone_quiet() {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  must(pthread_mutex_lock(&m) == 0);
  Expected().number("thread", getpid()).address("lock", &m).show();
  must(pthread_mutex_unlock(&m) == 0);
}

void alone_mutex() {
  pthread_mutex_t m;
  make(m, {.type = PTHREAD_MUTEX_NORMAL});
  const int lines[] = {__LINE__ + 1, __LINE__ + 3};
  must(pthread_mutex_lock(&m) == 0);
  stuck(&m).numbers("lines", lines).print();
  must(pthread_mutex_lock(&m) == 0);
}

void alone_upgrade() {
  pthread_rwlock_t l = PTHREAD_RWLOCK_INITIALIZER;
  must(pthread_rwlock_rdlock(&l) == 0);
  stuck(&l).print();
  must(pthread_rwlock_wrlock(&l) == 0);
}

void alone_condition() {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t c = PTHREAD_COND_INITIALIZER;
  must(pthread_mutex_lock(&m) == 0);
  stuck(&m).address("condition", &c).print();
  must(pthread_cond_wait(&c, &m) == 0);
}

// Two processes of one thread each, and a lock in memory that they share.
template <typename Lock, typename Make, typename Hold, typename Wait>
void alone_between(Make make_shared, Hold hold, Wait wait) {
  void* const memory =
      mmap(nullptr, sizeof(Lock), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  must(memory != MAP_FAILED);
  auto& lock = *static_cast<Lock*>(memory);
  make_shared(lock);
  const Nudge held;
  const pid_t child = forked([&] {
    held.await();
    pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
    must(pthread_mutex_lock(&own) == 0);
    must(wait(&lock) == 0);
    must(pthread_mutex_unlock(&own) == 0);
  });
  must(hold(&lock) == 0);
  held.send();
  until_blocked(child, child, &lock, sizeof lock);
  Expected().number("pid", child).number("thread", child).address("lock", &lock).show();
  must(kill(child, SIGKILL) == 0);
  must(waitpid(child, nullptr, 0) == child);
}

void alone_shared_mutex() {
  alone_between<pthread_mutex_t>([](auto& m) { make(m, {.shared = true}); }, pthread_mutex_lock,
                                 pthread_mutex_lock);
}

void alone_shared_writer() {
  alone_between<pthread_rwlock_t>([](auto& l) { make(l, PTHREAD_RWLOCK_DEFAULT_NP, true); },
                                  pthread_rwlock_wrlock, pthread_rwlock_wrlock);
}

constexpr Situation kSituations[] = {
    {"alone_quiet", alone_quiet},
    {"alone_mutex", alone_mutex},
    {"alone_upgrade", alone_upgrade},
    {"alone_condition", alone_condition},
    {"alone_shared_mutex", alone_shared_mutex},
    {"alone_shared_writer", alone_shared_writer},
};

}  // namespace

std::span<const Situation> alone_situations() {
  return kSituations;
}

}  // namespace facts
