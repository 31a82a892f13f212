// A deadlock that holds the program's own malloc lock for ever.
//
// The program brings its own malloc, guarded by heap_mutex; when it needs more memory it counts
// that under usage_mutex. A reporter holds usage_mutex and makes a string: from then on nobody in
// this process gets memory any more.
//
// Prints "stuck: TID TID", the threads "reporter" and "allocator", and stays so.
//   --repaired    the count is an atomic: ends with 0
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <ctime>

#include "sample.h"

pthread_mutex_t heap_mutex = PTHREAD_MUTEX_INITIALIZER;
pthread_mutex_t usage_mutex = PTHREAD_MUTEX_INITIALIZER;

std::size_t chunks_in_use = 0;  // under usage_mutex
std::atomic<std::size_t> chunks_taken{0};
std::atomic<bool> deadlocks{false};
std::atomic<bool> reporter_has_usage{false};
std::atomic<bool> allocator_has_heap{false};

namespace {

// Blocks are cut from one piece and never given back: this program is about locks.
constexpr std::size_t kHeap = std::size_t{64} << 20;
constexpr std::size_t kChunk = std::size_t{64} << 10;
alignas(64) std::byte heap[kHeap];
std::size_t heap_used = 0;

struct alignas(16) Header {
  std::size_t size;
};

}  // namespace

[[gnu::noinline]] void countChunk() {
  ++chunks_taken;
  if (!deadlocks) return;
  allocator_has_heap = true;
  while (!reporter_has_usage) sched_yield();
  pthread_mutex_lock(&usage_mutex);
  ++chunks_in_use;
  pthread_mutex_unlock(&usage_mutex);
}

[[gnu::noinline]] void* allocate(std::size_t size, std::size_t alignment) {
  pthread_mutex_lock(&heap_mutex);
  const std::size_t begin = (heap_used + sizeof(Header) + alignment - 1) & ~(alignment - 1);
  void* block = nullptr;
  if (size < kHeap && begin + size < kHeap) {
    if ((begin + size) / kChunk != heap_used / kChunk) countChunk();
    heap_used = begin + size;
    block = heap + begin;
    reinterpret_cast<Header*>(heap + begin)[-1].size = size;
  }
  pthread_mutex_unlock(&heap_mutex);
  return block;
}

extern "C" {

void* malloc(std::size_t size) {
  return allocate(size, alignof(std::max_align_t));
}

void free(void*) {}

void* calloc(std::size_t count, std::size_t size) {
  return allocate(count * size, alignof(std::max_align_t));  // fresh memory is zero
}

void* realloc(void* block, std::size_t size) {
  void* const moved = allocate(size, alignof(std::max_align_t));
  if (block != nullptr && moved != nullptr) {
    const std::size_t old = static_cast<Header*>(block)[-1].size;
    std::memcpy(moved, block, old < size ? old : size);
  }
  return moved;
}

void* aligned_alloc(std::size_t alignment, std::size_t size) {
  return allocate(size, alignment);
}
void* memalign(std::size_t alignment, std::size_t size) {
  return allocate(size, alignment);
}

int posix_memalign(void** block, std::size_t alignment, std::size_t size) {
  *block = allocate(size, alignment);
  return *block == nullptr ? 12 : 0;
}

}  // extern "C"

[[gnu::noinline]] std::size_t reportUsage() {
  pthread_mutex_lock(&usage_mutex);
  reporter_has_usage = true;
  while (!allocator_has_heap) sched_yield();
  void* const text = malloc(100);
  const std::size_t chunks = chunks_in_use + (text != nullptr);
  pthread_mutex_unlock(&usage_mutex);
  return chunks;
}

[[gnu::noinline]] bool fillCache() {
  bool all = true;
  for (std::size_t i = 0; i < 2 * kChunk / 1024; ++i) {
    void* volatile const block = malloc(1024);
    all = all && block != nullptr;
  }
  return all;
}

namespace {

[[noreturn]] void run_stuck(const samples::Arguments& arguments) {
  std::atomic<bool> start{false};
  samples::Actor reporter("reporter", [&] {
    while (!start) sched_yield();
    reportUsage();
  });
  samples::Actor allocator("allocator", [&] {
    while (!start) sched_yield();
    fillCache();
  });
  // Nothing below may allocate, on any thread.
  while (reporter.tid() == 0 || allocator.tid() == 0) sched_yield();
  // It goes well for a while: whoever watches has come to rest by then, and needs no heap either.
  const timespec for_a_while{0, 100'000'000};
  nanosleep(&for_a_while, nullptr);
  deadlocks = true;
  start = true;
  samples::stay_stuck_when(
      arguments,
      [&] { return reporter.is_blocked_on(heap_mutex) && allocator.is_blocked_on(usage_mutex); },
      {&reporter, &allocator});
}

int run_repaired() {
  allocator_has_heap = true;
  samples::Actor reporter("reporter", [] { reportUsage(); });
  samples::Actor allocator("allocator", [] { fillCache(); });
  reporter.join();
  allocator.join();
  return chunks_taken > 0 ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  samples::Arguments arguments(argc, argv, "[--repaired]");
  const bool repaired = arguments.flag("--repaired");
  arguments.no_more();
  if (repaired) return run_repaired();
  run_stuck(arguments);
}
