// Large numbers: of threads, one after another and at once; of mutexes, used and held; of depth.
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "support/bystander.h"
#include "support/driver.h"
#include "support/observed.h"

namespace {

using transparency::error_name;
using transparency::require;
using transparency::say;
using transparency::Tally;

class SmallStack {
 public:
  SmallStack() {
    pthread_attr_init(&attr_);
    pthread_attr_setstacksize(&attr_, 64 * 1024);
  }
  ~SmallStack() { pthread_attr_destroy(&attr_); }
  SmallStack(const SmallStack&) = delete;
  SmallStack& operator=(const SmallStack&) = delete;
  const pthread_attr_t* get() const { return &attr_; }

 private:
  pthread_attr_t attr_{};
};

struct Counter {
  pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
  long sum = 0;
  void add() {
    pthread_mutex_lock(&mutex);
    ++sum;
    pthread_mutex_unlock(&mutex);
  }
};

void* add_once(void* counter) {
  static_cast<Counter*>(counter)->add();
  return nullptr;
}

void threads_one_after_another() {
  const SmallStack small;
  Counter counter;
  int failed = 0;
  for (int i = 0; i < 10'000; ++i) {
    pthread_t thread{};
    failed += pthread_create(&thread, small.get(), add_once, &counter) != 0;
    failed += pthread_join(thread, nullptr) != 0;
  }
  say("sum %ld, failed %d", counter.sum, failed);
}

void threads_detached() {
  const SmallStack small;
  static Counter counter;
  static Tally ended;
  int failed = 0;
  for (int i = 0; i < 5'000; ++i) {
    pthread_t thread{};
    const auto body = [](void*) -> void* {
      counter.add();
      ended.arrive();
      return nullptr;
    };
    failed += pthread_create(&thread, small.get(), body, nullptr) != 0;
    failed += pthread_detach(thread) != 0;
    ended.wait_for(i - 500);  // a few hundred at once, not all
  }
  ended.wait_for(5'000);
  say("sum %ld, failed %d", counter.sum, failed);
}

void threads_at_once() {
  constexpr unsigned kThreads = 2'000;
  const SmallStack small;
  struct Meeting {
    pthread_barrier_t barrier;
    Counter counter;
    pthread_mutex_t last = PTHREAD_MUTEX_INITIALIZER;
    long passed = 0;
  } meeting;
  pthread_barrier_init(&meeting.barrier, nullptr, kThreads);
  std::vector<pthread_t> threads(kThreads);
  int failed = 0;
  // Held until all are there, so that a crowd waits for it.
  pthread_mutex_lock(&meeting.last);
  for (pthread_t& thread : threads) {
    const auto body = [](void* data) -> void* {
      auto& me = *static_cast<Meeting*>(data);
      pthread_barrier_wait(&me.barrier);
      me.counter.add();
      pthread_mutex_lock(&me.last);
      ++me.passed;
      pthread_mutex_unlock(&me.last);
      return nullptr;
    };
    failed += pthread_create(&thread, small.get(), body, &meeting) != 0;
  }
  for (long seen = 0; seen < kThreads;) {
    pthread_mutex_lock(&meeting.counter.mutex);
    seen = meeting.counter.sum;
    pthread_mutex_unlock(&meeting.counter.mutex);
    std::this_thread::yield();
  }
  const long before = meeting.passed;
  pthread_mutex_unlock(&meeting.last);
  for (const pthread_t thread : threads) failed += pthread_join(thread, nullptr) != 0;
  say("sum %ld, passed before %ld, passed %ld, failed %d", meeting.counter.sum, before,
      meeting.passed, failed);
}

struct Mutexes {
  explicit Mutexes(size_t count) : count_(count), all_(new pthread_mutex_t[count]) {
    for (size_t i = 0; i < count; ++i) failed += pthread_mutex_init(&all_[i], nullptr) != 0;
  }
  void lock(size_t i) { failed += pthread_mutex_lock(&all_[i]) != 0; }
  void unlock(size_t i) { failed += pthread_mutex_unlock(&all_[i]) != 0; }
  size_t held() {
    size_t busy = 0;
    for (size_t i = 0; i < count_; ++i) {
      if (pthread_mutex_trylock(&all_[i]) != 0) {
        ++busy;
      } else {
        unlock(i);
      }
    }
    return busy;
  }
  size_t count() const { return count_; }

  int failed = 0;

 private:
  size_t count_;
  std::unique_ptr<pthread_mutex_t[]> all_;
};

void million_mutexes() {
  Mutexes mutexes(1'000'000);
  transparency::Bystander other;  // a second thread, so that nothing is switched off for one
  for (size_t i = 0; i < mutexes.count(); ++i) {
    mutexes.lock(i);
    mutexes.unlock(i);
  }
  say("failed %d, held %zu", mutexes.failed, mutexes.held());
}

// Every one of them taken while another is held: a million locks that matter.
void million_mutexes_nested() {
  Mutexes mutexes(1'000'000);
  transparency::Bystander other;
  pthread_mutex_t outer = PTHREAD_MUTEX_INITIALIZER;
  for (size_t i = 0; i < mutexes.count(); ++i) {
    pthread_mutex_lock(&outer);
    mutexes.lock(i);
    mutexes.unlock(i);
    pthread_mutex_unlock(&outer);
  }
  say("failed %d, held %zu", mutexes.failed, mutexes.held());
}

void hold_and_release(size_t count, const std::vector<size_t>& order, const char* how) {
  Mutexes mutexes(count);
  for (size_t i = 0; i < count; ++i) mutexes.lock(i);
  const size_t held = mutexes.held();
  for (size_t i = 0; i < count / 2; ++i) mutexes.unlock(order[i]);
  const size_t half = mutexes.held();
  for (size_t i = count / 2; i < count; ++i) mutexes.unlock(order[i]);
  say("%s: failed %d, held %zu, %zu, %zu", how, mutexes.failed, held, half, mutexes.held());
}

std::vector<size_t> first_in_first_out(size_t count) {
  std::vector<size_t> order(count);
  for (size_t i = 0; i < count; ++i) order[i] = i;
  return order;
}

std::vector<size_t> last_in_first_out(size_t count) {
  std::vector<size_t> order = first_in_first_out(count);
  std::reverse(order.begin(), order.end());
  return order;
}

std::vector<size_t> at_random(size_t count) {
  std::vector<size_t> order = first_in_first_out(count);
  std::shuffle(order.begin(), order.end(), std::minstd_rand(42));
  return order;
}

constexpr size_t kManyHeld = 100'000;

void held_first_in_first_out() {
  hold_and_release(kManyHeld, first_in_first_out(kManyHeld), "first in, first out");
}

void held_last_in_first_out() {
  hold_and_release(kManyHeld, last_in_first_out(kManyHeld), "last in, first out");
}

void held_at_random() {
  hold_and_release(kManyHeld, at_random(kManyHeld), "at random");
}

// Around the number of holds that have a place of their own, many times, by several threads.
void nested_200() {
  std::vector<std::thread> threads;
  std::atomic<int> failed{0};
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        for (const size_t depth : {63UL, 64UL, 65UL, 200UL}) {
          Mutexes mutexes(depth);
          for (const auto& order :
               {last_in_first_out(depth), first_in_first_out(depth), at_random(depth)}) {
            for (size_t n = 0; n < depth; ++n) mutexes.lock(n);
            for (const size_t n : order) mutexes.unlock(n);
          }
          failed += mutexes.failed + static_cast<int>(mutexes.held());
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  say("failed %d", failed.load());
}

void recursive_100000() {
  transparency::Bystander other;
  pthread_mutex_t mutex = PTHREAD_RECURSIVE_MUTEX_INITIALIZER_NP;
  constexpr int kDepth = 100'000;
  int failed = 0;
  for (int i = 0; i < kDepth; ++i) failed += pthread_mutex_lock(&mutex) != 0;
  for (int i = 0; i < kDepth - 1; ++i) failed += pthread_mutex_unlock(&mutex) != 0;
  const int still = other.ask([&] { return pthread_mutex_trylock(&mutex); });
  failed += pthread_mutex_unlock(&mutex) != 0;
  const int free = other.ask([&] { return pthread_mutex_trylock(&mutex); });
  say("failed %d, other %s, then %s", failed, error_name(still), error_name(free));
}

void readers_deep_and_many() {
  pthread_rwlock_t rwlock = PTHREAD_RWLOCK_INITIALIZER;
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  Tally reading;
  for (int i = 0; i < 50; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 1'000; ++n) failed += pthread_rwlock_rdlock(&rwlock) != 0;
      reading.arrive();
      reading.wait_for(50);
      failed += pthread_rwlock_trywrlock(&rwlock) == 0;
      reading.arrive();
      reading.wait_for(100);
      for (int n = 0; n < 1'000; ++n) failed += pthread_rwlock_unlock(&rwlock) != 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  say("failed %d, trywrlock %s", failed.load(), error_name(pthread_rwlock_trywrlock(&rwlock)));
}

constexpr transparency::Case kCases[] = {
    {"threads-one-after-another", threads_one_after_another},
    {"threads-detached", threads_detached},
    {"threads-at-once", threads_at_once},
    {"million-mutexes", million_mutexes},
    {"million-mutexes-nested", million_mutexes_nested},
    {"held-first-in-first-out", held_first_in_first_out},
    {"held-last-in-first-out", held_last_in_first_out},
    {"held-at-random", held_at_random},
    {"nested-200", nested_200},
    {"recursive-100000", recursive_100000},
    {"readers-deep-and-many", readers_deep_and_many},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
