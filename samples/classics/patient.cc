#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <mutex>

#include "classics/classics.h"

namespace classics {

using std::chrono::milliseconds;

constexpr milliseconds kLong{1500};

// ---- workers who wait for work

class Pool {
 public:
  explicit Pool(int workers) {
    for (int i = 0; i < workers; ++i) {
      workers_.emplace_back("worker", [this] { serve(); });
    }
  }

  void post(std::function<void()> job) {
    {
      std::lock_guard lock(mutex_);
      jobs_.push_back(std::move(job));
    }
    more_.notify_one();
  }

  // All jobs are done by then.
  void end() {
    {
      std::lock_guard lock(mutex_);
      ended_ = true;
    }
    more_.notify_all();
    for (samples::Actor& worker : workers_) worker.join();
  }

 private:
  void serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
      more_.wait(lock, [this] { return !jobs_.empty() || ended_; });
      if (jobs_.empty()) return;
      const auto job = std::move(jobs_.front());
      jobs_.pop_front();
      lock.unlock();
      job();
      lock.lock();
    }
  }

  std::mutex mutex_;
  std::condition_variable more_;
  std::deque<std::function<void()>> jobs_;
  bool ended_ = false;
  std::deque<samples::Actor> workers_;
};

int idle_pool(const samples::Arguments&, bool) {
  constexpr int kJobs = 100;
  std::atomic<int> done{0};
  Pool pool(8);
  std::this_thread::sleep_for(kLong);
  for (int i = 0; i < kJobs; ++i) pool.post([&done] { ++done; });
  std::this_thread::sleep_for(kLong);
  pool.end();
  return done == kJobs ? 0 : 1;
}

// ---- each waits for the next one, the last one works

int futures(const samples::Arguments&, bool) {
  std::promise<int> first;
  std::shared_future<int> last = first.get_future().share();
  for (int i = 0; i < 5; ++i) {
    last = std::async(std::launch::async, [last] { return last.get() + 1; }).share();
  }
  int joined = 0;
  samples::Actor inner("inner", [&] {
    std::this_thread::sleep_for(kLong);
    first.set_value(1);
    ++joined;
  });
  samples::Actor middle("middle", [&] {
    inner.join();
    ++joined;
  });
  samples::Actor outer("outer", [&] {
    middle.join();
    ++joined;
  });
  const int sum = last.get();
  outer.join();
  return sum == 6 && joined == 3 ? 0 : 1;
}

// ---- a join is no wait for a lock

int long_join(const samples::Arguments&, bool) {
  std::mutex mutex;
  int sum = 0;
  samples::Actor worker("worker", [&] {
    const auto end = std::chrono::steady_clock::now() + kLong;
    while (std::chrono::steady_clock::now() < end) {
      std::lock_guard lock(mutex);
      ++sum;
    }
  });
  worker.join();
  return sum > 0 ? 0 : 1;
}

}  // namespace classics
