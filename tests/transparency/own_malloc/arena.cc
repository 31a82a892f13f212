// A program's own malloc, free and the rest of the family, guarded by a pthread mutex. It is made
// to be easy to upset: its bookkeeping is nowhere near the blocks, and the page before the first
// block cannot be read, so that nobody may look for a header there. It has no malloc_usable_size.
#include "own_malloc/arena.h"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

namespace {

constexpr size_t kPage = 4096;
constexpr size_t kArena = size_t{192} << 20;
constexpr size_t kSmallest = 16;
constexpr int kClasses = 24;  // from 16 bytes to 128 MiB

struct FreeBlock {
  FreeBlock* next;
};

// Each page of the arena belongs to one size class; a large block begins at its first page.
pthread_mutex_t g_mutex = PTHREAD_MUTEX_INITIALIZER;
char* g_arena = nullptr;
size_t g_used = 0;
uint8_t g_class_of_page[kArena / kPage];
FreeBlock* g_free[kClasses];
OwnMallocCounters g_counters;

int class_of(size_t size) {
  int found = 0;
  while ((kSmallest << found) < size) ++found;
  return found;
}

size_t size_of(int size_class) {
  return kSmallest << size_class;
}

void map_arena() {
  void* memory = mmap(nullptr, kArena + kPage, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) _exit(3);
  mprotect(memory, kPage, PROT_NONE);
  g_arena = static_cast<char*>(memory) + kPage;
}

// One page, or as many as a large block needs, cut into blocks of the class.
bool refill(int size_class) {
  const size_t size = size_of(size_class);
  const size_t bytes = size < kPage ? kPage : size;
  if (g_used + bytes > kArena) return false;
  for (size_t at = 0; at < bytes; at += kPage) {
    g_class_of_page[(g_used + at) / kPage] = static_cast<uint8_t>(size_class);
  }
  for (size_t at = 0; at + size <= bytes; at += size) {
    auto* block = reinterpret_cast<FreeBlock*>(g_arena + g_used + at);
    block->next = g_free[size_class];
    g_free[size_class] = block;
  }
  g_used += bytes;
  return true;
}

void* take(size_t size) {
  const int size_class = class_of(size);
  if (size_class >= kClasses) {
    errno = ENOMEM;
    return nullptr;
  }
  pthread_mutex_lock(&g_mutex);
  if (!g_arena) map_arena();
  FreeBlock* block = nullptr;
  if (g_free[size_class] || refill(size_class)) {
    block = g_free[size_class];
    g_free[size_class] = block->next;
    ++g_counters.taken;
  }
  pthread_mutex_unlock(&g_mutex);
  if (!block) errno = ENOMEM;
  return block;
}

size_t size_of_block(const void* block) {
  const auto offset = static_cast<size_t>(static_cast<const char*>(block) - g_arena);
  return size_of(g_class_of_page[offset / kPage]);
}

void give_back(void* block) {
  pthread_mutex_lock(&g_mutex);
  const auto offset = static_cast<size_t>(static_cast<char*>(block) - g_arena);
  if (offset >= g_used) _exit(4);  // a block that did not come from here
  const int size_class = g_class_of_page[offset / kPage];
  auto* freed = static_cast<FreeBlock*>(block);
  freed->next = g_free[size_class];
  g_free[size_class] = freed;
  ++g_counters.given_back;
  pthread_mutex_unlock(&g_mutex);
}

// Blocks are as aligned as they are large, up to a page.
void* take_aligned(size_t alignment, size_t size) {
  return alignment > kPage ? nullptr : take(size < alignment ? alignment : size);
}

}  // namespace

OwnMallocCounters own_malloc_counters() {
  pthread_mutex_lock(&g_mutex);
  const OwnMallocCounters counters = g_counters;
  pthread_mutex_unlock(&g_mutex);
  return counters;
}

void own_malloc_lock_around_fork() {
  pthread_atfork([] { pthread_mutex_lock(&g_mutex); }, [] { pthread_mutex_unlock(&g_mutex); },
                 [] { pthread_mutex_unlock(&g_mutex); });
}

extern "C" {

void* malloc(size_t size) {
  return take(size);
}

void free(void* block) {
  if (block) give_back(block);
}

void* calloc(size_t count, size_t size) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  void* block = take(bytes);
  return block ? std::memset(block, 0, bytes) : nullptr;
}

void* realloc(void* block, size_t size) {
  if (!block) return take(size);
  if (size_of_block(block) >= size) return block;
  void* larger = take(size);
  if (!larger) return nullptr;
  std::memcpy(larger, block, size_of_block(block));
  give_back(block);
  return larger;
}

void* aligned_alloc(size_t alignment, size_t size) {
  return take_aligned(alignment, size);
}

void* memalign(size_t alignment, size_t size) {
  return take_aligned(alignment, size);
}

int posix_memalign(void** result, size_t alignment, size_t size) {
  void* block = take_aligned(alignment, size);
  if (block) *result = block;
  return block ? 0 : ENOMEM;
}
}
