// Memory that goes back may have been a lock: a std::mutex has no destroy call, its object is just
// freed. What never held a lock that matters passes after one look at its pages.
#include <dlfcn.h>
#include <malloc.h>

#include "interpose/answer.h"
#include "interpose/block_size.h"

namespace impasse {
namespace {

[[gnu::noinline]] void free_slowly(void* p) {
  memory_gone(address_of(static_cast<char*>(p)), block_size(p));
  real::call(real::free)(p);
}

}  // namespace
}  // namespace impasse

using namespace impasse;

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
