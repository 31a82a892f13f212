// How large a heap block is, as far as its allocator lets us know, and whether a lock that matters
// may be in it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "detector/ledger_layout.h"
#include "detector/page_filter.h"

namespace impasse {

// libc's own malloc writes a block's size in the word before it. Other allocators: their
// malloc_usable_size, if they have one, is asked for blocks whose first two pages are marked;
// larger ones of theirs are not searched to the end.
// Blocks above this address have libc's size before them: all (but null is none), or none.
extern constinit std::uint64_t libc_blocks_above __attribute__((visibility("hidden")));

// Finds out who allocates. Called when the first lock may come to matter.
void recognize_allocator();

inline std::uint64_t libc_chunk_size(const void* p) {
  return static_cast<const std::uint64_t*>(p)[-1] & ~std::uint64_t{7};
}

[[gnu::always_inline]] inline bool may_hold_locks(const void* p) {
  const auto start = reinterpret_cast<std::uint64_t>(p);
  if (lock_pages.may_hold_locks_here_or_next(start)) [[unlikely]]
    return true;
  if (start <= libc_blocks_above) [[unlikely]]
    return false;
  return static_cast<const std::uint64_t*>(p)[-1] > kPage;
}

std::uint64_t block_size(void* p);

}  // namespace impasse
