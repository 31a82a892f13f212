// The C++ standard library's locks, conditions, threads and everything built upon them.
#include <atomic>
#include <barrier>
#include <chrono>
#include <condition_variable>
#include <future>
#include <latch>
#include <mutex>
#include <numeric>
#include <semaphore>
#include <shared_mutex>
#include <stop_token>
#include <system_error>
#include <thread>
#include <vector>

#include "support/bystander.h"
#include "support/driver.h"

namespace {

using namespace std::chrono_literals;
using transparency::Bystander;
using transparency::require;
using transparency::say;

constexpr int kThreads = 4;
constexpr int kRounds = 3'000;

template <typename Body>
void in_threads(Body body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back([&body, i] { body(i); });
  for (std::thread& thread : threads) thread.join();
}

template <typename Mutex>
void count_under(const char* name) {
  Mutex mutex;
  long sum = 0;
  in_threads([&](int) {
    for (int i = 0; i < kRounds; ++i) {
      const std::scoped_lock lock(mutex);
      ++sum;
    }
    for (int done = 0; done < kRounds / 10;) {
      std::unique_lock lock(mutex, std::try_to_lock);
      if (!lock.owns_lock()) continue;
      ++sum;
      ++done;
    }
  });
  say("%s: %ld", name, sum);
}

void counting() {
  count_under<std::mutex>("mutex");
  count_under<std::timed_mutex>("timed_mutex");
  count_under<std::recursive_mutex>("recursive_mutex");
  count_under<std::recursive_timed_mutex>("recursive_timed_mutex");
  count_under<std::shared_mutex>("shared_mutex");
  count_under<std::shared_timed_mutex>("shared_timed_mutex");
}

template <typename Mutex>
void time_out_on(const char* name) {
  Bystander other;
  Mutex mutex;
  mutex.lock();
  other.run([&] {
    const bool had[] = {mutex.try_lock_for(-1s), mutex.try_lock_for(2ms),
                        mutex.try_lock_until(std::chrono::steady_clock::now() + 2ms),
                        mutex.try_lock_until(std::chrono::system_clock::now() + 2ms)};
    say("%s, held: %d %d %d %d", name, had[0], had[1], had[2], had[3]);
  });
  mutex.unlock();
  other.run([&] {
    const bool had = mutex.try_lock_for(1h);
    say("%s, free: %d", name, had);
    mutex.unlock();
  });
}

void timing_out() {
  time_out_on<std::timed_mutex>("timed_mutex");
  time_out_on<std::recursive_timed_mutex>("recursive_timed_mutex");
  time_out_on<std::shared_timed_mutex>("shared_timed_mutex");
  Bystander other;
  std::shared_timed_mutex shared;
  shared.lock();
  other.run([&] {
    const bool had[] = {shared.try_lock_shared(), shared.try_lock_shared_for(2ms),
                        shared.try_lock_shared_until(std::chrono::system_clock::now() + 2ms)};
    say("shared_timed_mutex, written: %d %d %d", had[0], had[1], had[2]);
  });
  shared.unlock();
  shared.lock_shared();
  other.run([&] {
    const bool had[] = {shared.try_lock_shared_for(1h), shared.try_lock_for(2ms)};
    say("shared_timed_mutex, read: %d %d", had[0], had[1]);
    shared.unlock_shared();
  });
  shared.unlock_shared();
}

void recursion() {
  std::recursive_mutex mutex;
  Bystander other;
  for (int i = 0; i < 50; ++i) mutex.lock();
  const bool again = mutex.try_lock();
  mutex.unlock();
  for (int i = 0; i < 49; ++i) mutex.unlock();
  const bool early = other.ask([&] { return mutex.try_lock(); }) != 0;
  mutex.unlock();
  const bool late = other.ask([&] { return mutex.try_lock(); }) != 0;
  other.run([&] { mutex.unlock(); });
  say("again %d, other early %d, late %d", again, early, late);
}

void read_and_write() {
  std::shared_mutex mutex;
  long first = 0;
  long second = 0;
  std::atomic<long> reads{0};
  in_threads([&](int number) {
    for (int i = 0; i < kRounds; ++i) {
      if (i % 8 == number % 8) {
        const std::unique_lock writing(mutex);
        ++first;
        ++second;
      } else {
        const std::shared_lock reading(mutex);
        require(first == second, "no writer in between");
        ++reads;
      }
    }
  });
  say("written %ld, read %ld", first, reads.load());
}

// std::lock takes any number in any order, and backs off; that is no order worth a word.
void locked_together() {
  std::mutex mutexes[3];
  long sum = 0;
  in_threads([&](int number) {
    std::mutex& a = mutexes[number % 3];
    std::mutex& b = mutexes[(number + 1) % 3];
    std::mutex& c = mutexes[(number + 2) % 3];
    for (int i = 0; i < kRounds; ++i) {
      const std::scoped_lock all(a, b, c);
      ++sum;
    }
  });
  say("sum %ld", sum);
}

void conditions() {
  std::mutex mutex;
  std::condition_variable changed;
  int turn = 0;
  in_threads([&](int number) {
    for (int i = 0; i < 300; ++i) {
      std::unique_lock lock(mutex);
      changed.wait(lock, [&] { return turn % kThreads == number; });
      ++turn;
      changed.notify_all();
    }
  });
  std::unique_lock lock(mutex);
  const bool timed_out = changed.wait_for(lock, 2ms) == std::cv_status::timeout;
  const bool until =
      changed.wait_until(lock, std::chrono::system_clock::now() + 2ms) == std::cv_status::timeout;
  const bool predicate = changed.wait_for(lock, 2ms, [] { return false; });
  say("turns %d, timed out %d %d, predicate %d, lock %d", turn, timed_out, until, predicate,
      lock.owns_lock());
}

void conditions_of_any() {
  std::shared_mutex mutex;
  std::condition_variable_any changed;
  int turn = 0;
  in_threads([&](int number) {
    for (int i = 0; i < 100; ++i) {
      {
        std::shared_lock reading(mutex);
        changed.wait(reading, [&] { return turn % kThreads == number; });
      }
      const std::unique_lock writing(mutex);
      ++turn;
      changed.notify_all();
    }
  });
  std::jthread stopped([&](const std::stop_token& stop) {
    std::shared_lock reading(mutex);
    const bool ready = changed.wait(reading, stop, [] { return false; });
    say("stopped, ready %d, lock %d", ready, reading.owns_lock());
  });
  stopped.request_stop();
  stopped.join();
  say("turns %d", turn);
}

void at_thread_exit() {
  std::mutex mutex;
  std::condition_variable changed;
  bool ended = false;
  std::thread([&] {
    std::unique_lock lock(mutex);
    ended = true;
    std::notify_all_at_thread_exit(changed, std::move(lock));
  }).detach();
  std::unique_lock lock(mutex);
  changed.wait(lock, [&] { return ended; });
  say("ended %d", ended);
}

void futures() {
  std::vector<std::future<int>> results;
  for (int i = 0; i < 50; ++i) {
    results.push_back(std::async(std::launch::async, [i] { return i * i; }));
  }
  int sum = 0;
  for (auto& result : results) sum += result.get();
  std::promise<int> promise;
  std::shared_future<int> shared = promise.get_future().share();
  std::thread setter([&] { promise.set_value(7); });
  const int value = shared.get();
  setter.join();
  std::packaged_task<int(int)> task([](int n) { return n + 1; });
  std::future<int> packaged = task.get_future();
  std::jthread(std::move(task), 41).join();
  const int one_more = packaged.get();
  std::future<void> deferred = std::async(std::launch::deferred, [] {});
  const bool is_deferred = deferred.wait_for(0s) == std::future_status::deferred;
  std::promise<void> late;
  const bool times_out = late.get_future().wait_for(2ms) == std::future_status::timeout;
  say("sum %d, value %d, packaged %d, deferred %d, timeout %d", sum, value, one_more, is_deferred,
      times_out);
  try {
    std::async(std::launch::async, [] { throw std::runtime_error("in the task"); }).get();
  } catch (const std::runtime_error& error) {
    say("caught %s", error.what());
  }
}

void latches_barriers_semaphores() {
  std::latch ready(kThreads);
  std::atomic<int> phases{0};
  std::barrier together(kThreads, [&]() noexcept { ++phases; });
  std::counting_semaphore<2> places(2);
  std::atomic<int> inside{0};
  std::atomic<int> too_many{0};
  std::mutex mutex;
  int sum = 0;
  in_threads([&](int) {
    ready.arrive_and_wait();
    for (int i = 0; i < 200; ++i) {
      places.acquire();
      too_many += ++inside > 2;
      {
        const std::scoped_lock lock(mutex);
        ++sum;
      }
      --inside;
      places.release();
      together.arrive_and_wait();
    }
  });
  say("phases %d, too many %d, sum %d", phases.load(), too_many.load(), sum);
}

void once_only() {
  int calls = 0;
  std::atomic<int> returned{0};
  for (int round = 0; round < 100; ++round) {
    std::once_flag flag;
    std::mutex mutex;
    in_threads([&](int) {
      std::call_once(flag, [&] {
        const std::scoped_lock lock(mutex);
        ++calls;
      });
      ++returned;
    });
  }
  say("calls %d, returned %d", calls, returned.load());
}

void errors() {
  const auto tell = [](const char* what, auto call) {
    try {
      call();
      say("%s: no error", what);
    } catch (const std::system_error& error) {
      say("%s: %s", what, error.what());
    }
  };
  std::mutex mutex;
  std::shared_mutex shared;
  tell("unlock of nothing", [] { std::unique_lock<std::mutex>().unlock(); });
  tell("lock twice", [&] {
    std::unique_lock lock(mutex);
    lock.lock();
  });
  tell("write lock taken twice", [&] {
    shared.lock();
    try {
      shared.lock();
    } catch (...) {
      shared.unlock();
      throw;
    }
  });
  tell("join of nothing", [] { std::thread().join(); });
  tell("detach of nothing", [] { std::thread().detach(); });
  tell("join of itself", [] {
    std::thread thread;
    std::latch set(1);
    std::exception_ptr error;
    thread = std::thread([&] {
      set.wait();
      try {
        thread.join();
      } catch (...) {
        error = std::current_exception();
      }
    });
    set.count_down();
    while (!thread.joinable()) std::this_thread::yield();
    thread.join();
    std::rethrow_exception(error);
  });
}

constexpr transparency::Case kCases[] = {
    {"counting", counting},
    {"timing-out", timing_out},
    {"recursion", recursion},
    {"read-and-write", read_and_write},
    {"locked-together", locked_together},
    {"conditions", conditions},
    {"conditions-of-any", conditions_of_any},
    {"at-thread-exit", at_thread_exit},
    {"futures", futures},
    {"latches-barriers-semaphores", latches_barriers_semaphores},
    {"once-only", once_only},
    {"errors", errors},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
