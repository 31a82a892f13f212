// Forked children: what the forking thread held they hold too; what others held is left behind.
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <vector>

#include "actor.h"
#include "blocked.h"
#include "children.h"
#include "expected.h"
#include "locks.h"
#include "situation.h"

namespace facts {
namespace {

// Threads of a process that is about to fork. None of them, nor the process, ever ends by itself in
// a child: there they do not exist.
struct Household {
  pthread_mutex_t mine = PTHREAD_MUTEX_INITIALIZER;
  pthread_rwlock_t mine_read = PTHREAD_RWLOCK_INITIALIZER;
  pthread_mutex_t theirs = PTHREAD_MUTEX_INITIALIZER;
  pthread_rwlock_t theirs_read = PTHREAD_RWLOCK_INITIALIZER;
  pthread_mutex_t given_back = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t condition = PTHREAD_COND_INITIALIZER;
  Actor other{"stays-behind"};
  Actor waiter{"waits"};

  void take_mine() {
    must(pthread_mutex_lock(&mine) == 0);
    must(pthread_rwlock_rdlock(&mine_read) == 0);
  }
  void release_mine() {
    must(pthread_rwlock_unlock(&mine_read) == 0);
    must(pthread_mutex_unlock(&mine) == 0);
  }
  void take_theirs() {
    other.run([&] {
      must(pthread_mutex_lock(&theirs) == 0);
      must(pthread_rwlock_rdlock(&theirs_read) == 0);
    });
    waiter.start([&] {
      must(pthread_mutex_lock(&given_back) == 0);
      must(pthread_cond_wait(&condition, &given_back) == 0);
      must(pthread_mutex_unlock(&given_back) == 0);
    });
    until_blocked(waiter.tid(), condition);
  }
  void release_theirs() {
    other.run([&] {
      must(pthread_rwlock_unlock(&theirs_read) == 0);
      must(pthread_mutex_unlock(&theirs) == 0);
    });
    must(pthread_cond_signal(&condition) == 0);
    waiter.finish();
  }
  Expected expected(const char* who) const {
    return Expected()
        .text("who", who)
        .number("pid", getpid())
        .number("thread", gettid())
        .number("other", other.tid())
        .number("waiter", waiter.tid())
        .address("mine", &mine)
        .address("mine_read", &mine_read)
        .address("theirs", &theirs)
        .address("theirs_read", &theirs_read)
        .address("given_back", &given_back)
        .address("condition", &condition);
  }
};

// The child's own second thread makes its ledger.
void play_child(Household& house) {
  Actor fresh;
  const auto expected = house.expected("child").number("fresh", fresh.tid());
  Expected(expected).number("mine_held", 1).number("theirs_lost", 1).show();
  house.release_mine();
  Expected(expected).number("mine_held", 0).number("theirs_lost", 1).show();
  // What children do about the locks of threads that did not come along.
  must(pthread_mutex_init(&house.theirs, nullptr) == 0);
  must(pthread_rwlock_unlock(&house.theirs_read) == 0);
  Expected(expected).number("mine_held", 0).number("theirs_lost", 0).show();
}

void fork_of_threads() {
  Household house;
  house.take_mine();
  house.take_theirs();
  must_end_well(forked([&] { play_child(house); }));
  // The parent's facts are what they were.
  house.expected("parent").show();
  house.release_mine();
  house.release_theirs();
}

// The same from a thread that is not the main one.
void fork_by_thread() {
  Household house;
  house.take_theirs();
  Actor forker("forker");
  forker.run([&] {
    house.take_mine();
    must_end_well(forked([&] { play_child(house); }));
    house.expected("parent").show();
    house.release_mine();
  });
  house.release_theirs();
}

// The child puts its locks right before it has a second thread.
void fork_and_repair() {
  Household house;
  house.take_mine();
  house.take_theirs();
  must_end_well(forked([&] {
    house.release_mine();
    must(pthread_mutex_init(&house.theirs, nullptr) == 0);
    must(pthread_rwlock_unlock(&house.theirs_read) == 0);
    const Actor fresh;
    house.expected("child")
        .number("fresh", fresh.tid())
        .number("mine_held", 0)
        .number("theirs_lost", 0)
        .show();
  }));
  house.release_mine();
  house.release_theirs();
}

// A child of a child: what the first parent's threads held is still lost.
void fork_twice() {
  Household house;
  house.take_mine();
  house.take_theirs();
  must_end_well(forked([&] {
    const Actor fresh;
    const pid_t grandchild = forked([&] {
      const Actor fresh_too;
      house.expected("child")
          .number("fresh", fresh_too.tid())
          .number("mine_held", 1)
          .number("theirs_lost", 1)
          .show();
    });
    must_end_well(grandchild);
  }));
  house.release_mine();
  house.release_theirs();
}

// What ended threads held is lost in the child as it is in the parent.
void fork_after_departure() {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  Actor departed("departed");
  departed.run([&] { must(pthread_mutex_lock(&m) == 0); });
  departed.leave();
  must_end_well(forked([&] {
    const Actor fresh;
    Expected()
        .number("pid", getpid())
        .number("departed", departed.tid())
        .text("name", "departed")
        .address("lock", &m)
        .show();
  }));
}

// Shown first as it is in the parent, and held for a while there.
void fork_later() {
  Household house;
  house.expected("nobody").show();
  house.take_mine();
  house.take_theirs();
  house.expected("parent").show();
  must_end_well(forked([&] {
    const Actor fresh;
    house.expected("child").number("fresh", fresh.tid()).show();
  }));
  house.release_mine();
  house.release_theirs();
}

void fork_with_many() {
  std::vector<pthread_mutex_t> mine(100, PTHREAD_MUTEX_INITIALIZER);
  std::vector<pthread_mutex_t> theirs(100, PTHREAD_MUTEX_INITIALIZER);
  Actor other("stays-behind");
  other.run([&] {
    for (auto& one : theirs) must(pthread_mutex_lock(&one) == 0);
  });
  for (auto& one : mine) must(pthread_mutex_lock(&one) == 0);
  must_end_well(forked([&] {
    const Actor fresh;
    Expected()
        .number("pid", getpid())
        .number("thread", gettid())
        .number("other", other.tid())
        .addresses("mine", addresses_of(mine))
        .addresses("theirs", addresses_of(theirs))
        .show();
  }));
  for (auto& one : mine) must(pthread_mutex_unlock(&one) == 0);
  other.run([&] {
    for (auto& one : theirs) must(pthread_mutex_unlock(&one) == 0);
  });
}

// A parent of one thread, which has no ledger.
void fork_of_one() {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  must(pthread_mutex_lock(&m) == 0);
  must_end_well(forked([&] {
    const Actor fresh;
    Expected().number("pid", getpid()).number("thread", gettid()).address("lock", &m).show();
    must(pthread_mutex_unlock(&m) == 0);
  }));
  must(pthread_mutex_unlock(&m) == 0);
}

// A child in the parent's own memory leaves the parent's facts alone.
void fork_in_same_memory() {
  pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;
  Actor holder;
  holder.run([&] { must(pthread_mutex_lock(&m) == 0); });
  // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork): it is what this is about
  const pid_t child = vfork();
  if (child == 0) _exit(0);
  must_end_well(child);
  Expected().number("holder", holder.tid()).address("lock", &m).show();
  holder.run([&] { must(pthread_mutex_unlock(&m) == 0); });
}

constexpr Situation kSituations[] = {
    {"fork_of_threads", fork_of_threads},
    {"fork_by_thread", fork_by_thread},
    {"fork_and_repair", fork_and_repair},
    {"fork_twice", fork_twice},
    {"fork_after_departure", fork_after_departure},
    {"fork_later", fork_later},
    {"fork_with_many", fork_with_many},
    {"fork_of_one", fork_of_one},
    {"fork_in_same_memory", fork_in_same_memory},
};

}  // namespace

std::span<const Situation> fork_situations() {
  return kSituations;
}

}  // namespace facts
