// Locks that do not live long: on stacks, in heap blocks, in pages that go away right after the
// unlock; and locks whose memory is used again for another lock, without a word of farewell.
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "support/driver.h"
#include "support/observed.h"

namespace {

using transparency::error_name;
using transparency::require;
using transparency::say;

constexpr int kThreads = 4;
constexpr size_t kPage = 4096;

template <typename Body>
void in_threads(Body body) {
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) threads.emplace_back([&body, i] { body(i); });
  for (std::thread& thread : threads) thread.join();
}

long g_sums[kThreads];

void tell_sum() {
  long sum = 0;
  for (const long one : g_sums) sum += one;
  say("sum %ld", sum);
}

// Two frames of the same shape, with their locks at the same addresses, in opposite order.
[[gnu::noinline]] void one_way(long& sum) {
  std::mutex locks[2];
  const std::scoped_lock outer(locks[0]);
  const std::scoped_lock inner(locks[1]);
  ++sum;
}

[[gnu::noinline]] void other_way(long& sum) {
  std::mutex locks[2];
  const std::scoped_lock outer(locks[1]);
  const std::scoped_lock inner(locks[0]);
  ++sum;
}

void on_stacks() {
  in_threads([](int number) {
    for (int i = 0; i < 20'000; ++i)
      (i + number) % 2 ? one_way(g_sums[number]) : other_way(g_sums[number]);
  });
  tell_sum();
}

// The allocator hands the same two blocks out again and again, in either order.
void in_heap_blocks() {
  in_threads([](int number) {
    for (int i = 0; i < 20'000; ++i) {
      const auto first = std::make_unique<std::mutex>();
      const auto second = std::make_unique<std::shared_mutex>();
      if (i % 2) {
        const std::scoped_lock outer(*first);
        const std::shared_lock inner(*second);
        ++g_sums[number];
      } else {
        const std::unique_lock outer(*second);
        const std::scoped_lock inner(*first);
        ++g_sums[number];
      }
    }
  });
  tell_sum();
}

// The same place holds a mutex, an rwlock, a spin lock and a recursive mutex in turn.
void in_the_same_place() {
  in_threads([](int number) {
    auto place =
        std::make_unique<std::byte[]>(sizeof(std::shared_mutex) + alignof(std::max_align_t));
    for (int i = 0; i < 5'000; ++i) {
      auto* mutex = new (place.get()) std::mutex;
      mutex->lock();
      mutex->unlock();
      auto* shared = new (place.get()) std::shared_mutex;
      shared->lock_shared();
      shared->unlock_shared();
      auto* spin = reinterpret_cast<pthread_spinlock_t*>(place.get());
      pthread_spin_init(spin, PTHREAD_PROCESS_PRIVATE);
      pthread_spin_lock(spin);
      pthread_spin_unlock(spin);
      auto* recursive = new (place.get()) std::recursive_mutex;
      recursive->lock();
      recursive->lock();
      recursive->unlock();
      recursive->unlock();
      ++g_sums[number];
    }
  });
  tell_sum();
}

// A free lock is bytes like others: copied, zeroed, moved by realloc.
void copied_and_moved() {
  in_threads([](int number) {
    struct Record {
      pthread_mutex_t mutex;
      long value;
    };
    size_t count = 1;
    auto* records = static_cast<Record*>(std::calloc(1, sizeof(Record)));
    for (int i = 0; i < 300; ++i) {
      records = static_cast<Record*>(std::realloc(records, (count + 1) * sizeof(Record)));
      std::memcpy(&records[count], &records[count - 1], sizeof(Record));
      ++count;
      for (size_t n = 0; n < count; n += 7) {
        pthread_mutex_lock(&records[n].mutex);
        ++g_sums[number];
        pthread_mutex_unlock(&records[n].mutex);
      }
      if (i % 50 == 0) std::memset(records, 0, count * sizeof(Record));
    }
    std::free(records);
  });
  tell_sum();
}

struct Page {
  pthread_mutex_t mutex;
  pthread_spinlock_t spin;
};

Page* map_page() {
  void* memory = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  require(memory != MAP_FAILED, "a page");
  auto* page = static_cast<Page*>(memory);
  pthread_spin_init(&page->spin, PTHREAD_PROCESS_PRIVATE);
  return page;
}

// Whoever gets the lock second may throw it away, although the first is still on his way out of
// the unlock call: nothing of the lock may be touched after it was given back.
template <typename Take, typename Give>
void unmapped_after_unlock(int rounds, Take take, Give give) {
  std::atomic<Page*> current{nullptr};
  std::thread second([&] {
    for (int i = 0; i < rounds; ++i) {
      Page* page = nullptr;
      while (!(page = current.exchange(nullptr))) std::this_thread::yield();
      take(page);
      give(page);
      require(munmap(page, kPage) == 0, "the page goes");
    }
  });
  for (int i = 0; i < rounds; ++i) {
    Page* page = map_page();
    take(page);
    current = page;
    // The other one may be inside its lock call already, or may come later.
    if (i % 2) std::this_thread::yield();
    give(page);
    while (current.load()) std::this_thread::yield();
  }
  second.join();
  say("rounds %d", rounds);
}

void mutex_unmapped_after_unlock() {
  unmapped_after_unlock(
      1'500, [](Page* page) { pthread_mutex_lock(&page->mutex); },
      [](Page* page) { pthread_mutex_unlock(&page->mutex); });
}

void spin_unmapped_after_unlock() {
  unmapped_after_unlock(
      1'500,
      [](Page* page) {
        while (pthread_spin_trylock(&page->spin) != 0) std::this_thread::yield();
      },
      [](Page* page) { pthread_spin_unlock(&page->spin); });
}

// A page with a lock in it is replaced by another page, with another lock at the same address.
void remapped() {
  Page* page = map_page();
  for (int i = 0; i < 2'000; ++i) {
    pthread_mutex_lock(&page->mutex);
    if (i % 2) pthread_mutex_unlock(&page->mutex);  // else it goes while it is held
    void* again =
        mmap(page, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    require(again == page, "a new page in the old place");
  }
  say("last: %s", error_name(pthread_mutex_trylock(&page->mutex)));
}

// One lock at two addresses: both are the lock.
void mapped_twice() {
  const int file = memfd_create("twice", MFD_CLOEXEC);
  require(file >= 0 && ftruncate(file, kPage) == 0, "a file in memory");
  Page* pages[2];
  for (Page*& page : pages) {
    void* memory = mmap(nullptr, kPage, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    require(memory != MAP_FAILED, "a mapping");
    page = static_cast<Page*>(memory);
  }
  pthread_mutexattr_t attr;
  pthread_mutexattr_init(&attr);
  pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
  pthread_mutex_init(&pages[0]->mutex, &attr);
  long sum = 0;
  in_threads([&](int number) {
    for (int i = 0; i < 2'000; ++i) {
      pthread_mutex_lock(&pages[number % 2]->mutex);
      ++sum;
      pthread_mutex_unlock(&pages[i % 2]->mutex);
    }
  });
  say("sum %ld, trylock %s", sum, error_name(pthread_mutex_trylock(&pages[1]->mutex)));
  say("trylock %s", error_name(pthread_mutex_trylock(&pages[0]->mutex)));
}

// Made again without having been destroyed, and destroyed without ever having been used.
void made_again() {
  in_threads([](int number) {
    pthread_mutex_t mutex;
    pthread_rwlock_t rwlock;
    pthread_cond_t cond;
    for (int i = 0; i < 5'000; ++i) {
      g_sums[number] += pthread_mutex_init(&mutex, nullptr);
      g_sums[number] += pthread_rwlock_init(&rwlock, nullptr);
      g_sums[number] += pthread_cond_init(&cond, nullptr);
      if (i % 3 == 0) {
        pthread_mutex_lock(&mutex);
        pthread_rwlock_wrlock(&rwlock);
        pthread_rwlock_unlock(&rwlock);
        pthread_mutex_unlock(&mutex);
      }
      if (i % 2 == 0) {
        g_sums[number] += pthread_mutex_destroy(&mutex);
        g_sums[number] += pthread_rwlock_destroy(&rwlock);
        g_sums[number] += pthread_cond_destroy(&cond);
      }
    }
  });
  tell_sum();
}

constexpr transparency::Case kCases[] = {
    {"on-stacks", on_stacks},
    {"in-heap-blocks", in_heap_blocks},
    {"in-the-same-place", in_the_same_place},
    {"copied-and-moved", copied_and_moved},
    {"mutex-unmapped-after-unlock", mutex_unmapped_after_unlock},
    {"spin-unmapped-after-unlock", spin_unmapped_after_unlock},
    {"remapped", remapped},
    {"mapped-twice", mapped_twice},
    {"made-again", made_again},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
