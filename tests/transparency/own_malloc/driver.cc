// A program with its own malloc behind a pthread mutex: every allocation anywhere in the process,
// the detector's included if it made any, goes through that mutex.
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <thread>
#include <vector>

#include "own_malloc/arena.h"
#include "support/children.h"
#include "support/driver.h"

namespace {

using transparency::require;
using transparency::say;

constexpr int kThreads = 4;

template <typename Body>
void in_threads(Body body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back([body, i] { body(i); });
  for (std::thread& thread : threads) thread.join();
}

// A block keeps what was written into it until it is freed, whatever else happens meanwhile.
void churn() {
  const OwnMallocCounters before = own_malloc_counters();
  in_threads([](int number) {
    unsigned random = static_cast<unsigned>(number) * 7919 + 1;
    std::vector<std::pair<unsigned char*, size_t>> blocks(64);
    for (int turn = 0; turn < 20'000; ++turn) {
      random = random * 1664525 + 1013904223;
      auto& [block, size] = blocks[(random >> 8) % blocks.size()];
      const auto mark = static_cast<unsigned char>(number + 1);
      if (block) {
        require(block[0] == mark && block[size - 1] == mark, "a block is left alone");
        std::free(block);
      }
      size = 1 + (random >> 16) % 2'000;
      block = static_cast<unsigned char*>(std::malloc(size));
      require(block, "there is memory");
      std::memset(block, mark, size);
    }
    for (auto& [block, size] : blocks) std::free(block);
  });
  const OwnMallocCounters after = own_malloc_counters();
  say("at least 80,000 blocks taken: %d", after.taken - before.taken >= 80'000);
}

void containers_under_locks() {
  std::shared_mutex mutex;
  std::map<int, std::string> shared;
  std::deque<std::string> queue;
  std::mutex queue_mutex;
  in_threads([&](int number) {
    for (int i = 0; i < 2'000; ++i) {
      {
        const std::unique_lock writing(mutex);
        shared[number * 10'000 + i] = std::string(static_cast<size_t>(i % 100), 'x');
      }
      {
        const std::shared_lock reading(mutex);
        const std::scoped_lock lock(queue_mutex);
        queue.push_back(shared.rbegin()->second);
        if (queue.size() > 100) queue.pop_front();
      }
    }
  });
  say("map %zu, queue %zu", shared.size(), queue.size());
}

// Locks live in blocks that are freed and taken again at once, at the same addresses.
void locks_in_blocks() {
  long sum = 0;
  std::mutex total;
  in_threads([&](int) {
    long mine = 0;
    for (int i = 0; i < 5'000; ++i) {
      const auto first = std::make_unique<std::mutex>();
      const auto second = std::make_unique<std::mutex>();
      // Addresses repeat in either order: what is remembered of the dead must not matter.
      const std::scoped_lock both(i % 2 ? *first : *second, i % 2 ? *second : *first);
      ++mine;
    }
    const std::scoped_lock lock(total);
    sum += mine;
  });
  say("sum %ld", sum);
}

void threads_come_and_go() {
  int sum = 0;
  std::mutex mutex;
  for (int i = 0; i < 200; ++i) {
    std::thread([&] {
      const std::string text(static_cast<size_t>(i) * 10, 'x');
      const std::scoped_lock lock(mutex);
      sum += text.size() == static_cast<size_t>(i) * 10;
    }).join();
  }
  say("sum %d", sum);
}

void forked_in_traffic() {
  own_malloc_lock_around_fork();
  std::vector<std::thread> traffic;
  std::atomic<bool> stop{false};
  for (int i = 0; i < 2; ++i) {
    traffic.emplace_back([&] {
      while (!stop) std::free(std::malloc(100));
    });
  }
  int good = 0;
  for (int i = 0; i < 30; ++i) {
    const pid_t child = fork();
    if (child == 0) {
      std::thread([] { std::string(1'000, 'x').clear(); }).join();
      const bool has_memory = std::make_unique<char[]>(5'000) != nullptr;
      _exit(has_memory ? 0 : 1);
    }
    good += std::strcmp(transparency::end_of(child), "exit 0") == 0;
  }
  stop = true;
  for (std::thread& one : traffic) one.join();
  say("good children %d", good);
}

constexpr transparency::Case kCases[] = {
    {"churn", churn},
    {"containers-under-locks", containers_under_locks},
    {"locks-in-blocks", locks_in_blocks},
    {"threads-come-and-go", threads_come_and_go},
    {"forked-in-traffic", forked_in_traffic},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
