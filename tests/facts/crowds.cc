// Many threads, in good conditions and in bad ones.
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <vector>

#include "actor.h"
#include "expected.h"
#include "situation.h"

namespace facts {
namespace {

// Small stacks, and no allocation in a thread: the limits that are tried leave little room.
constexpr size_t kStackBytes = size_t{64} * 1024;

struct Crowd {
  std::atomic<int> arrived{0};
  Gate gate;
  pthread_mutex_t common = PTHREAD_MUTEX_INITIALIZER;
  pthread_rwlock_t read_mostly = PTHREAD_RWLOCK_INITIALIZER;
  pthread_cond_t last_one_came = PTHREAD_COND_INITIALIZER;
  int working = 0;

  int count = 0;
  std::array<pthread_t, 500> threads{};

  void begin(int members, void* (*live)(void*));
  void end();
};

void Crowd::begin(int members, void* (*live)(void*)) {
  pthread_attr_t attributes;
  must(pthread_attr_init(&attributes) == 0);
  must(pthread_attr_setstacksize(&attributes, kStackBytes) == 0);
  for (count = 0; count < members; ++count) {
    must(pthread_create(&threads.at(static_cast<size_t>(count)), &attributes, live, this) == 0);
  }
  must(pthread_attr_destroy(&attributes) == 0);
  for (int now = arrived; now != members; now = arrived) arrived.wait(now);
}

void Crowd::end() {
  gate.open();
  for (int i = 0; i < count; ++i) {
    must(pthread_join(threads.at(static_cast<size_t>(i)), nullptr) == 0);
  }
}

void arrive(Crowd& crowd) {
  crowd.arrived.fetch_add(1);
  crowd.arrived.notify_all();
}

// Takes locks in all ways: nested, many at once, shared, contended; and meets the others.
void work(Crowd& crowd) {
  pthread_mutex_t own[80];
  for (auto& one : own) one = PTHREAD_MUTEX_INITIALIZER;
  for (int round = 0; round < 20; ++round) {
    for (auto& one : own) must(pthread_mutex_lock(&one) == 0);
    must(pthread_mutex_lock(&crowd.common) == 0);
    must(pthread_rwlock_rdlock(&crowd.read_mostly) == 0);
    must(pthread_rwlock_unlock(&crowd.read_mostly) == 0);
    must(pthread_mutex_unlock(&crowd.common) == 0);
    must(pthread_rwlock_wrlock(&crowd.read_mostly) == 0);
    must(pthread_rwlock_unlock(&crowd.read_mostly) == 0);
    for (auto& one : own) must(pthread_mutex_unlock(&one) == 0);
  }
  must(pthread_mutex_lock(&crowd.common) == 0);
  if (++crowd.working == crowd.count) {
    must(pthread_cond_broadcast(&crowd.last_one_came) == 0);
  }
  while (crowd.working < crowd.count) {
    must(pthread_cond_wait(&crowd.last_one_came, &crowd.common) == 0);
  }
  must(pthread_mutex_unlock(&crowd.common) == 0);
}

void* hold_then_work(void* argument) {
  auto& crowd = *static_cast<Crowd*>(argument);
  pthread_mutex_t own = PTHREAD_MUTEX_INITIALIZER;
  must(pthread_mutex_lock(&own) == 0);
  arrive(crowd);
  crowd.gate.pass();
  must(pthread_mutex_unlock(&own) == 0);
  work(crowd);
  return nullptr;
}

void* idle(void* argument) {
  auto& crowd = *static_cast<Crowd*>(argument);
  arrive(crowd);
  crowd.gate.pass();
  return nullptr;
}

void crowd_works() {
  Crowd crowd;
  crowd.begin(50, hold_then_work);
  Expected().number("threads", crowd.count).show();
  crowd.end();
  Expected().text("state", "done").print();
}

void crowd_idles() {
  Crowd crowd;
  crowd.begin(500, idle);
  Expected().number("threads", crowd.count).show();
  crowd.end();
}

// Threads that never stand still: each keeps one lock and takes and releases others all the time.
struct Busy {
  pthread_mutex_t kept = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_t below[4] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER,
                              PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
  std::atomic<bool> enough{false};
  Actor actor;

  void start();
  void stop();
};

void Busy::start() {
  actor.run([&] { must(pthread_mutex_lock(&kept) == 0); });
  actor.start([&] {
    while (!enough.load()) {
      for (auto& one : below) must(pthread_mutex_lock(&one) == 0);
      for (auto& one : below) must(pthread_mutex_unlock(&one) == 0);
    }
  });
}

void Busy::stop() {
  enough.store(true);
  actor.finish();
  actor.run([&] { must(pthread_mutex_unlock(&kept) == 0); });
}

void crowd_busy() {
  Busy one;
  Busy two;
  one.start();
  two.start();
  const int tids[] = {one.actor.tid(), two.actor.tid()};
  const volatile void* const kept[] = {&one.kept, &two.kept};
  Expected()
      .numbers("threads", tids)
      .addresses("kept", kept)
      .addresses("below_0", addresses_of(one.below))
      .addresses("below_1", addresses_of(two.below))
      .show();
  one.stop();
  two.stop();
}

// With no descriptor left.
void crowd_without_descriptors() {
  std::vector<int> taken;
  for (int fd = open("/dev/null", O_RDONLY); fd >= 0; fd = open("/dev/null", O_RDONLY)) {
    taken.push_back(fd);
  }
  must(errno == EMFILE);
  Crowd crowd;
  crowd.begin(50, hold_then_work);
  Expected().number("threads", crowd.count).show();
  crowd.end();
  for (const int fd : taken) close(fd);
  Expected().text("state", "done").print();
}

constexpr Situation kSituations[] = {
    {"crowd_works", crowd_works},
    {"crowd_idles", crowd_idles},
    {"crowd_busy", crowd_busy},
    {"crowd_without_descriptors", crowd_without_descriptors},
};

}  // namespace

std::span<const Situation> crowd_situations() {
  return kSituations;
}

}  // namespace facts
