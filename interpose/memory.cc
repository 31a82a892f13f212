// Memory that goes back may have been a lock: a std::mutex has no destroy call, its object is just
// freed. What never held a lock that matters passes after one look at its pages.
#include <dlfcn.h>
#include <malloc.h>
#include <sys/mman.h>

#include "interpose/answer.h"
#include "interpose/block_size.h"
#include "interpose/loaded_locks.h"

namespace impasse {
namespace {

[[gnu::noinline]] void free_slowly(void* p) {
  memory_gone(address_of(static_cast<char*>(p)), block_size(p));
  real::call(real::free)(p);
}

}  // namespace
}  // namespace impasse

using namespace impasse;

// All of it in one line of the processor's decoded instructions.
extern "C" void answer_free(void* p) __asm__("free") __attribute__((aligned(64)));

IMPASSE_ANSWER(void, free, (void* p)) {
  if (may_hold_locks(p)) [[unlikely]]
    return free_slowly(p);
  real::call(real::free)(p);
}

IMPASSE_ANSWER(void*, realloc, (void* p, std::size_t n)) {
  if (!may_hold_locks(p)) [[likely]]
    return real::call(real::realloc)(p, n);
  const std::uint64_t start = address_of(static_cast<char*>(p));
  const std::uint64_t bytes = block_size(p);
  void* const moved = real::call(real::realloc)(p, n);
  if (moved == p) {
    if (n < bytes) memory_gone(start + n, bytes - n);
  } else if (moved != nullptr || n == 0) {
    memory_gone(start, bytes);
  }
  return moved;
}

IMPASSE_ANSWER(int, munmap, (void* p, std::size_t n)) {
  memory_gone(address_of(static_cast<char*>(p)), n);
  return real::call(real::munmap)(p, n);
}

// Declared with `...` by libc; its callers pass what they have in the same registers.
IMPASSE_ANSWER(void*, mremap, (void* p, std::size_t n, std::size_t m, int f, void* to)) {
  void* const moved = real::call(real::mremap)(p, n, m, f, to);
  const std::uint64_t start = address_of(static_cast<char*>(p));
  if (moved == MAP_FAILED) return moved;
  if (moved != p) {
    memory_gone(start, n);
    if ((f & MREMAP_FIXED) != 0) memory_gone(address_of(static_cast<char*>(moved)), m);
  } else if (m < n) {
    memory_gone(start + m, n - m);
  }
  return moved;
}

// The loader unmaps inside itself, not through us.
IMPASSE_ANSWER(int, dlclose, (void* h)) {
  LoadedLocks loaded;
  const int answer = real::call(real::dlclose)(h);
  loaded.end_unloaded();
  return answer;
}
