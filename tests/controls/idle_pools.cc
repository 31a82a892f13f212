// Pools with nothing to do, each in another way: whoever waits in them will be woken as soon as
// there is work, and some were never woken yet. Nothing is wrong with any of them.
//
// And a pool of which one is at work for long, at its first job, while main() waits for that to be
// done, as it did for the job of another one.
//
// Prints "idle" when all of them are, stays until its standard input ends, then gives each its
// last work and prints how much was done, which is the same in every run.
#include <netinet/in.h>
#include <semaphore.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace {

constexpr int kWorkers = 4;
constexpr int kJobs = 500;

class Pool {
 public:
  explicit Pool(std::function<void()> work) : work_(std::move(work)) {
    for (int i = 0; i < kWorkers; ++i) threads_.emplace_back([this] { run(); });
  }
  void post() {
    const std::lock_guard lock(mutex_);
    ++posted_;
    more_.notify_one();
  }
  // Everything that was posted is done.
  void wait_until_idle() {
    std::unique_lock lock(mutex_);
    idle_.wait(lock, [this] { return posted_ == 0 && busy_ == 0; });
  }
  int end() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    more_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    return done_;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      more_.wait(lock, [this] { return posted_ > 0 || ended_; });
      if (posted_ == 0) return;
      --posted_;
      ++busy_;
      lock.unlock();
      work_();
      lock.lock();
      ++done_;
      --busy_;
      idle_.notify_all();
    }
  }

  const std::function<void()> work_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::condition_variable idle_;
  std::vector<std::thread> threads_;
  int posted_ = 0;
  int busy_ = 0;
  int done_ = 0;
  bool ended_ = false;
};

// One condition for everything: first that all are there, then that there is work. At first only
// the workers themselves signal it.
class OneConditionPool {
 public:
  OneConditionPool() {
    for (int i = 0; i < kWorkers; ++i) threads_.emplace_back([this] { run(); });
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return there_ == kWorkers; });
  }
  int end() {
    {
      const std::lock_guard lock(mutex_);
      left_ = kJobs;
      ended_ = true;
    }
    changed_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    return done_;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    ++there_;
    changed_.notify_all();
    changed_.wait(lock, [this] { return left_ > 0 || ended_; });
    while (left_ > 0) {
      --left_;
      ++done_;
    }
  }

  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::thread> threads_;
  int there_ = 0;
  int left_ = 0;
  int done_ = 0;
  bool ended_ = false;
};

// A thread that waits for the network hands each request to a thread of its own, which hands it to
// a pool and ends: of those who ever signalled the pool only the pool is left.
class Server {
 public:
  Server() : pool_([] {}), listener_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    if (listener_ < 0 || bind(listener_, any, sizeof address) != 0 || listen(listener_, 64) != 0 ||
        getsockname(listener_, any, &length) != 0) {
      std::abort();
    }
    address_ = address;
    acceptor_ = std::thread([this] { accept_all(); });
    for (int i = 0; i < kWorkers; ++i) ask();
    while (handled_ < kWorkers) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    pool_.wait_until_idle();
  }
  int end() {
    last_ = true;
    ask();
    acceptor_.join();
    close(listener_);
    return pool_.end();
  }

 private:
  void accept_all() {
    for (;;) {
      const int connection = accept(listener_, nullptr, nullptr);
      if (connection < 0) std::abort();
      std::thread([this] { pool_.post(); }).join();
      ++handled_;
      close(connection);
      if (last_) return;
    }
  }
  void ask() const {
    const int connection = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(connection, reinterpret_cast<const sockaddr*>(&address_), sizeof address_) != 0)
      std::abort();
    char byte = 0;
    if (read(connection, &byte, 1) < 0) std::abort();
    close(connection);
  }

  Pool pool_;
  const int listener_;
  sockaddr_in address_{};
  std::atomic<bool> last_{false};
  std::atomic<int> handled_{0};
  std::thread acceptor_;
};

class SemaphorePool {
 public:
  SemaphorePool() {
    sem_init(&more_, 0, 0);
    for (int i = 0; i < kWorkers; ++i) {
      threads_.emplace_back([this] {
        for (;;) {
          sem_wait(&more_);
          if (++done_ > kJobs) return;
        }
      });
    }
    for (int i = 0; i < kJobs; ++i) sem_post(&more_);
    while (done_ < kJobs) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  int end() {
    for (int i = 0; i < kWorkers; ++i) sem_post(&more_);
    for (std::thread& thread : threads_) thread.join();
    sem_destroy(&more_);
    return done_;
  }

 private:
  sem_t more_;
  std::vector<std::thread> threads_;
  std::atomic<int> done_{0};
};

// Two workers; one has done the first job and has nothing to do, the other is at the second, which
// lasts until the end. Who gave both waits for it as for the first.
class LongJob {
 public:
  LongJob() {
    if (pipe(ends_) != 0) std::abort();
    for (int i = 0; i < 2; ++i) workers_.emplace_back([this] { run(); });
    boss_ = std::thread([this] {
      for (int i = 0; i < 2; ++i) {
        std::unique_lock lock(mutex_);
        given_ = i + 1;
        more_.notify_one();
        finished_.wait(lock, [this] { return done_ == given_; });
      }
    });
    while (!at_work_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  int end() {
    close(ends_[1]);
    boss_.join();
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    more_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    close(ends_[0]);
    return done_;
  }

 private:
  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      more_.wait(lock, [this] { return taken_ < given_ || ended_; });
      if (taken_ == given_) return;
      const int job = ++taken_;
      lock.unlock();
      if (job == 2) wait_for_the_end();
      lock.lock();
      ++done_;
      finished_.notify_one();
    }
  }
  void wait_for_the_end() {
    at_work_ = true;
    char byte = 0;
    if (read(ends_[0], &byte, 1) != 0) std::abort();
  }

  int ends_[2] = {-1, -1};
  std::mutex mutex_;
  std::condition_variable more_;
  std::condition_variable finished_;
  std::vector<std::thread> workers_;
  std::thread boss_;
  int given_ = 0;
  int taken_ = 0;
  int done_ = 0;
  bool ended_ = false;
  std::atomic<bool> at_work_{false};
};

// Workers share connections; then somebody who never gave one back takes them all, for long. What
// he did under the mutex is all that tells of him.
class Connections {
 public:
  Connections() {
    for (int i = 0; i < kWorkers; ++i) workers_.emplace_back([this] { run(); });
    while (used_ < kJobs) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    take(kConnections);
  }
  int end() {
    ended_ = true;
    give(kConnections);
    for (std::thread& worker : workers_) worker.join();
    return used_ >= kJobs ? kJobs : 0;
  }

 private:
  static constexpr int kConnections = 2;

  void run() {
    while (!ended_) {
      take(1);
      std::this_thread::sleep_for(std::chrono::microseconds(200));
      ++used_;
      give(1);
    }
  }
  void take(int wanted) {
    std::unique_lock lock(mutex_);
    freed_.wait(lock, [&] { return free_ >= wanted; });
    free_ -= wanted;
  }
  void give(int number) {
    const std::lock_guard lock(mutex_);
    free_ += number;
    freed_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable freed_;
  int free_ = kConnections;
  std::vector<std::thread> workers_;
  std::atomic<int> used_{0};
  std::atomic<bool> ended_{false};
};

// The same with a semaphore for a lock.
class Reload {
 public:
  Reload() {
    sem_init(&lock_, 0, 1);
    for (int i = 0; i < kWorkers; ++i) workers_.emplace_back([this] { run(); });
    while (used_ < kJobs) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    sem_wait(&lock_);
  }
  int end() {
    ended_ = true;
    sem_post(&lock_);
    for (std::thread& worker : workers_) worker.join();
    sem_destroy(&lock_);
    return used_ >= kJobs ? kJobs : 0;
  }

 private:
  void run() {
    while (!ended_) {
      sem_wait(&lock_);
      ++used_;
      sem_post(&lock_);
    }
  }

  sem_t lock_;
  std::vector<std::thread> workers_;
  std::atomic<int> used_{0};
  std::atomic<bool> ended_{false};
};

}  // namespace

int main() {
  Pool second([] {});
  Pool first([&second] { second.post(); });
  for (int i = 0; i < kJobs; ++i) first.post();
  first.wait_until_idle();
  second.wait_until_idle();
  OneConditionPool one_condition;
  Server server;
  SemaphorePool semaphore;
  // It was woken once, by a thread that is gone, and waits again.
  Pool after_a_stranger([] {});
  std::thread([&] { after_a_stranger.post(); }).join();
  after_a_stranger.wait_until_idle();

  LongJob long_job;
  Connections connections;
  Reload reload;

  std::puts("idle");
  std::fflush(stdout);
  char byte = 0;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  first.post();
  const int done_first = first.end();
  const int done_second = second.end();
  std::printf("%d %d %d %d %d %d %d %d %d\n", done_first, done_second, one_condition.end(),
              server.end(), semaphore.end(), after_a_stranger.end(), long_job.end(),
              connections.end(), reload.end());
  return 0;
}
