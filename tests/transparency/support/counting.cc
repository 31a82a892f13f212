#include "support/counting.h"

#include <mutex>
#include <thread>
#include <vector>

namespace transparency {

int count_with_threads(int threads) {
  std::mutex mutex;
  int sum = 0;
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      for (int n = 0; n < 1'000; ++n) {
        const std::scoped_lock lock(mutex);
        ++sum;
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  return sum;
}

}  // namespace transparency
