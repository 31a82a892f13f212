// Cases that allocate: a detector that wants to know when the memory of a lock is given back sees
// every free().
#include <array>
#include <cstdlib>

#include "cases.h"

namespace bench {
namespace {

// A detector has something to look for in freed memory only when it knows locks.
void take_locks() {
  static std::array<Padded<pthread_mutex_t>, 8> mutexes;
  for (auto& mutex : mutexes) pthread_mutex_lock(&mutex.value);
  for (auto& mutex : mutexes) pthread_mutex_unlock(&mutex.value);
}

// Makes the compiler believe that somebody else may use the block.
void show(void* block) {
  asm volatile("" : : "r"(block) : "memory");
}

}  // namespace

void malloc_one_size(Session& session) {
  take_locks();
  session.repeat({2'500'000}, [](std::uint64_t rounds) {
    for (; rounds > 0; --rounds) {
      void* block = std::malloc(64);
      show(block);
      std::free(block);
    }
  });
}

// 256 blocks live at any time; the oldest is replaced by one of another size.
void malloc_mixed(Session& session) {
  take_locks();
  session.repeat({1'200'000}, [](std::uint64_t rounds) {
    std::array<void*, 256> live{};
    std::uint32_t state = 12'345;
    for (; rounds > 0; --rounds) {
      state = state * 1'664'525U + 1'013'904'223U;
      void*& slot = live[rounds % live.size()];
      std::free(slot);
      slot = std::malloc(16 + (state >> 22));
      show(slot);
    }
    for (void* block : live) std::free(block);
  });
}

void malloc_batch(Session& session) {
  take_locks();
  constexpr std::size_t kBatch = 64;
  session.repeat({24'000, kBatch}, [](std::uint64_t rounds) {
    std::array<void*, kBatch> batch;
    for (; rounds > 0; --rounds) {
      for (void*& block : batch) {
        block = std::malloc(48);
        show(block);
      }
      for (void* block : batch) std::free(block);
    }
  });
}

}  // namespace bench
