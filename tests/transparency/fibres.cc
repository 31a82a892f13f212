// Locks that change threads: fibres that carry them from one thread to another, and locks that one
// thread takes and another gives back. Write locks do not travel: glibc takes the unlock of another
// thread's write lock for a reader's, and the lock is lost.
#include <pthread.h>
#include <ucontext.h>

#include <array>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "support/bystander.h"
#include "support/driver.h"
#include "support/observed.h"

namespace {

using transparency::Bystander;
using transparency::error_name;
using transparency::require;
using transparency::say;

constexpr size_t kStack = 64 * 1024;

// A fibre runs until it yields; any thread may resume it next.
class Fibre {
 public:
  using Body = void (*)(Fibre&);

  explicit Fibre(Body body, int number)
      : body_(body), number_(number), stack_(std::make_unique<char[]>(kStack)) {
    getcontext(&own_);
    own_.uc_stack.ss_sp = stack_.get();
    own_.uc_stack.ss_size = kStack;
    own_.uc_link = nullptr;
    const auto self = reinterpret_cast<uintptr_t>(this);
    makecontext(&own_, reinterpret_cast<void (*)()>(enter), 2, static_cast<unsigned>(self >> 32),
                static_cast<unsigned>(self));
  }
  Fibre(const Fibre&) = delete;
  Fibre& operator=(const Fibre&) = delete;

  // Nothing of the calling thread may be remembered across this, so it is never inlined.
  [[gnu::noinline]] void yield() { swapcontext(&own_, &resumer_); }
  [[gnu::noinline]] bool resume() {
    swapcontext(&resumer_, &own_);
    return !done_;
  }
  int number() const { return number_; }

 private:
  static void enter(unsigned high, unsigned low) {
    auto& self = *reinterpret_cast<Fibre*>(static_cast<uintptr_t>(high) << 32 | low);
    self.body_(self);
    self.done_ = true;
    self.yield();
  }

  Body body_;
  int number_;
  bool done_ = false;
  std::unique_ptr<char[]> stack_;
  ucontext_t own_{};
  ucontext_t resumer_{};
};

// Gives each fibre to another thread whenever it yields.
class Scheduler {
 public:
  Scheduler(Fibre::Body body, int fibres) : left_(fibres) {
    for (int i = 0; i < fibres; ++i) {
      fibres_.push_back(std::make_unique<Fibre>(body, i));
      queues_[static_cast<size_t>(i) % kThreads].push_back(fibres_.back().get());
    }
  }

  void run() {
    std::vector<std::thread> threads;
    for (size_t i = 0; i < kThreads; ++i) threads.emplace_back([this, i] { serve(i); });
    for (std::thread& thread : threads) thread.join();
  }

 private:
  static constexpr size_t kThreads = 3;

  void serve(size_t mine) {
    std::unique_lock lock(mutex_);
    while (left_ > 0) {
      if (queues_[mine].empty()) {
        changed_.wait(lock);
        continue;
      }
      Fibre* fibre = queues_[mine].front();
      queues_[mine].pop_front();
      lock.unlock();
      const bool goes_on = fibre->resume();
      lock.lock();
      if (goes_on) {
        queues_[(mine + 1) % kThreads].push_back(fibre);
      } else {
        --left_;
      }
      changed_.notify_all();
    }
  }

  int left_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::unique_ptr<Fibre>> fibres_;
  std::array<std::deque<Fibre*>, kThreads> queues_;
};

constexpr int kFibres = 20;
constexpr int kRounds = 300;

pthread_mutex_t g_mutexes[kFibres];
pthread_rwlock_t g_rwlock = PTHREAD_RWLOCK_INITIALIZER;
std::atomic<int> g_wrong{0};
long g_sums[kFibres];

// Taken in one thread, given back in the next one.
void carry_mutexes() {
  Scheduler scheduler(
      [](Fibre& me) {
        pthread_mutex_t& mutex = g_mutexes[me.number()];
        for (int i = 0; i < kRounds; ++i) {
          g_wrong += pthread_mutex_lock(&mutex) != 0;
          ++g_sums[me.number()];
          me.yield();
          g_wrong += pthread_mutex_unlock(&mutex) != 0;
          me.yield();
        }
      },
      kFibres);
  scheduler.run();
  long sum = 0;
  for (const long one : g_sums) sum += one;
  int busy = 0;
  for (pthread_mutex_t& mutex : g_mutexes) busy += pthread_mutex_trylock(&mutex) != 0;
  say("sum %ld, wrong %d, busy %d", sum, g_wrong.load(), busy);
}

// Nested ones too, and several fibres with the same thread below them.
void carry_nested() {
  static std::array<std::array<std::mutex, 3>, kFibres> mutexes;
  Scheduler scheduler(
      [](Fibre& me) {
        auto& mine = mutexes[static_cast<size_t>(me.number())];
        for (int i = 0; i < kRounds / 3; ++i) {
          for (std::mutex& mutex : mine) {
            mutex.lock();
            me.yield();
          }
          ++g_sums[me.number()];
          for (std::mutex& mutex : mine) {
            mutex.unlock();
            me.yield();
          }
        }
      },
      kFibres);
  scheduler.run();
  long sum = 0;
  for (const long one : g_sums) sum += one;
  int busy = 0;
  for (auto& mine : mutexes) {
    for (std::mutex& mutex : mine) {
      busy += !mutex.try_lock();
      mutex.unlock();
    }
  }
  say("sum %ld, busy %d", sum, busy);
}

void carry_read_locks() {
  Scheduler scheduler(
      [](Fibre& me) {
        for (int i = 0; i < kRounds; ++i) {
          g_wrong += pthread_rwlock_rdlock(&g_rwlock) != 0;
          me.yield();
          g_wrong += pthread_rwlock_unlock(&g_rwlock) != 0;
          me.yield();
        }
      },
      kFibres);
  scheduler.run();
  say("wrong %d, trywrlock %s", g_wrong.load(), error_name(pthread_rwlock_trywrlock(&g_rwlock)));
}

// A fibre contends for a lock while it has the thread: a whole thread waits with it.
void contend() {
  static std::mutex common;
  static long sum = 0;
  Scheduler scheduler(
      [](Fibre& me) {
        for (int i = 0; i < kRounds; ++i) {
          {
            const std::scoped_lock lock(common);
            ++sum;
          }
          me.yield();
        }
      },
      kFibres);
  scheduler.run();
  say("sum %ld", sum);
}

void unique_lock_moved() {
  constexpr int kMoves = 5'000;
  std::mutex mutex;
  std::shared_mutex shared;
  Bystander taker;
  Bystander giver;
  int right = 0;
  for (int i = 0; i < kMoves; ++i) {
    std::unique_lock<std::mutex> lock;
    std::shared_lock<std::shared_mutex> reading;
    taker.run([&] {
      lock = std::unique_lock(mutex);
      reading = std::shared_lock(shared);
    });
    right += !mutex.try_lock() && !shared.try_lock();
    giver.run([moved = &lock, reads = &reading] {
      const std::unique_lock<std::mutex> mine = std::move(*moved);
      const std::shared_lock<std::shared_mutex> my_reading = std::move(*reads);
    });
    right += mutex.try_lock() && shared.try_lock();
    mutex.unlock();
    shared.unlock();
  }
  say("right %d", right);
}

// A mutex as a signal between two threads: wrong by the standard, and common.
void mutex_as_signal() {
  constexpr int kTurns = 3'000;
  pthread_mutex_t ping = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_t pong = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&ping);
  pthread_mutex_lock(&pong);
  int turns = 0;
  Bystander other;
  other.start([&] {
    for (int i = 0; i < kTurns; ++i) {
      pthread_mutex_lock(&ping);
      ++turns;
      pthread_mutex_unlock(&pong);
    }
  });
  for (int i = 0; i < kTurns; ++i) {
    pthread_mutex_unlock(&ping);
    pthread_mutex_lock(&pong);
  }
  other.finish();
  say("turns %d", turns);
}

constexpr transparency::Case kCases[] = {
    {"carry-mutexes", carry_mutexes},         {"carry-nested", carry_nested},
    {"carry-read-locks", carry_read_locks},   {"contend", contend},
    {"unique-lock-moved", unique_lock_moved}, {"mutex-as-signal", mutex_as_signal},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
