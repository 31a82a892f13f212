// Many threads that take random sets of mutexes, rwlocks and spin locks, always in one order, wait
// for each other on conditions, and check at every step what only correct locking makes true.
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <deque>
#include <random>
#include <thread>
#include <vector>

#include "support/driver.h"

namespace {

using transparency::require;
using transparency::say;

constexpr int kThreads = 16;
constexpr int kLocks = 24;

// One thing to lock, of any family, and what it guards.
class Guarded {
 public:
  explicit Guarded(int number) : family_(static_cast<Family>(number % kFamilies)) {
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, number % 2 ? PTHREAD_MUTEX_ADAPTIVE_NP : PTHREAD_MUTEX_NORMAL);
    pthread_mutex_init(&mutex_, &attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&recursive_, &attr);
    pthread_mutexattr_destroy(&attr);
    pthread_rwlock_init(&rwlock_, nullptr);
    pthread_spin_init(&spin_, PTHREAD_PROCESS_PRIVATE);
  }

  // Only an rwlock can be had for reading; everything else is taken for writing anyway.
  bool lock(bool to_read, bool only_try) {
    int result = 0;
    switch (family_) {
      case kMutex:
        result = only_try ? pthread_mutex_trylock(&mutex_) : pthread_mutex_lock(&mutex_);
        break;
      case kRecursive:
        result = only_try ? pthread_mutex_trylock(&recursive_) : pthread_mutex_lock(&recursive_);
        break;
      case kSpin:
        result = only_try ? pthread_spin_trylock(&spin_) : pthread_spin_lock(&spin_);
        break;
      default:
        if (to_read) {
          result = only_try ? pthread_rwlock_tryrdlock(&rwlock_) : pthread_rwlock_rdlock(&rwlock_);
        } else {
          result = only_try ? pthread_rwlock_trywrlock(&rwlock_) : pthread_rwlock_wrlock(&rwlock_);
        }
    }
    require(result == 0 || (only_try && result == EBUSY), "a lock is had, or busy when tried");
    return result == 0;
  }

  void unlock() {
    int result = 0;
    switch (family_) {
      case kMutex:
        result = pthread_mutex_unlock(&mutex_);
        break;
      case kRecursive:
        result = pthread_mutex_unlock(&recursive_);
        break;
      case kSpin:
        result = pthread_spin_unlock(&spin_);
        break;
      default:
        result = pthread_rwlock_unlock(&rwlock_);
    }
    require(result == 0, "an unlock succeeds");
  }

  bool shares() const { return family_ == kRwLock; }
  bool spins() const { return family_ == kSpin; }

  // The two are equal whenever nobody is between them.
  void write() {
    require(first_ == second_, "nobody else is in between");
    ++first_;
    ++second_;
  }
  void read() const { require(first_ == second_, "no writer is in between"); }
  long written() const { return first_; }

 private:
  enum Family { kMutex, kRwLock, kRecursive, kSpin, kFamilies };

  Family family_;
  pthread_mutex_t mutex_{};
  pthread_mutex_t recursive_{};
  pthread_rwlock_t rwlock_{};
  pthread_spinlock_t spin_{};
  long first_ = 0;
  long second_ = 0;
};

struct Held {
  Guarded* lock;
  bool reading;
};

// A random subset in ascending order. Nothing that can sleep is taken behind a spin lock.
template <typename Random>
std::vector<Held> take_some(std::deque<Guarded>& all, Random& random) {
  std::vector<Held> held;
  for (const bool spinning : {false, true}) {
    for (Guarded& lock : all) {
      if (lock.spins() != spinning || random() % 6 != 0) continue;
      const bool reading = lock.shares() && random() % 3 != 0;
      const bool only_try = random() % 4 == 0;
      if (lock.lock(reading, only_try)) held.push_back({&lock, reading});
    }
  }
  return held;
}

void ordered() {
  constexpr int kRounds = 2'000;
  std::deque<Guarded> all;
  for (int i = 0; i < kLocks; ++i) all.emplace_back(i);
  std::atomic<long> written{0};
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < kThreads; ++i) {
    threads.emplace_back([&, i] {
      std::minstd_rand random(i + 1);
      long mine = 0;
      for (int round = 0; round < kRounds; ++round) {
        std::vector<Held> held = take_some(all, random);
        for (const Held& one : held) {
          one.reading ? one.lock->read() : one.lock->write();
          mine += !one.reading;
        }
        // Given back in any order.
        std::shuffle(held.begin(), held.end(), random);
        for (const Held& one : held) one.lock->unlock();
      }
      written += mine;
    });
  }
  for (std::thread& thread : threads) thread.join();
  long sum = 0;
  for (const Guarded& lock : all) sum += lock.written();
  say("every write counted %d", sum == written);
}

// A bounded queue between producers and consumers: nothing is lost, nothing is there twice.
class Queue {
 public:
  void put(long item) {
    pthread_mutex_lock(&mutex_);
    while (items_.size() >= kRoom) pthread_cond_wait(&has_room_, &mutex_);
    items_.push_back(item);
    pthread_cond_signal(&has_items_);
    pthread_mutex_unlock(&mutex_);
  }
  long get() {
    pthread_mutex_lock(&mutex_);
    while (items_.empty()) pthread_cond_wait(&has_items_, &mutex_);
    const long item = items_.back();
    items_.pop_back();
    pthread_cond_signal(&has_room_);
    pthread_mutex_unlock(&mutex_);
    return item;
  }

 private:
  static constexpr size_t kRoom = 8;
  pthread_mutex_t mutex_ = PTHREAD_MUTEX_INITIALIZER;
  pthread_cond_t has_room_ = PTHREAD_COND_INITIALIZER;
  pthread_cond_t has_items_ = PTHREAD_COND_INITIALIZER;
  std::vector<long> items_;
};

void queue() {
  constexpr int kPairs = 4;
  constexpr long kItems = 3'000;
  Queue queue;
  std::atomic<long> sum{0};
  std::vector<std::thread> threads;
  for (int pair = 0; pair < kPairs; ++pair) {
    threads.emplace_back([&] {
      for (long item = 1; item <= kItems; ++item) queue.put(item);
    });
    threads.emplace_back([&] {
      long mine = 0;
      for (long n = 0; n < kItems; ++n) mine += queue.get();
      sum += mine;
    });
  }
  for (std::thread& thread : threads) thread.join();
  say("sum right %d", sum == kPairs * kItems * (kItems + 1) / 2);
}

// Two locks always taken with back-off: first one blocking, the other only tried, in either order.
void backing_off() {
  constexpr int kRounds = 5'000;
  pthread_mutex_t mutexes[2] = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_MUTEX_INITIALIZER};
  long sum = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      pthread_mutex_t* first = &mutexes[i % 2];
      pthread_mutex_t* second = &mutexes[1 - i % 2];
      for (int done = 0; done < kRounds;) {
        pthread_mutex_lock(first);
        if (pthread_mutex_trylock(second) == 0) {
          ++sum;
          ++done;
          pthread_mutex_unlock(second);
        }
        pthread_mutex_unlock(first);
        std::this_thread::yield();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  say("sum %ld", sum);
}

// Down a chain with never more than two locks held: each lock is taken before the last is given.
void hand_over_hand() {
  constexpr size_t kLinks = 50;
  struct Link {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    long visits = 0;
  };
  std::vector<Link> chain(kLinks);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 500; ++round) {
        pthread_mutex_lock(&chain[0].mutex);
        for (size_t link = 0; link < kLinks; ++link) {
          ++chain[link].visits;
          if (link + 1 < kLinks) pthread_mutex_lock(&chain[link + 1].mutex);
          pthread_mutex_unlock(&chain[link].mutex);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  long visits = 0;
  for (const Link& link : chain) visits += link.visits;
  say("visits %ld", visits);
}

constexpr transparency::Case kCases[] = {
    {"ordered", ordered},
    {"queue", queue},
    {"backing-off", backing_off},
    {"hand-over-hand", hand_over_hand},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
