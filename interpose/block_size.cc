#include "interpose/block_size.h"

#include <dlfcn.h>
#include <unistd.h>

#include "interpose/real.h"

namespace impasse {
namespace {

using UsableSize = std::size_t (*)(void*);
constexpr std::uint64_t kNoLibcBlocks = ~std::uint64_t{0};
constinit std::atomic<UsableSize> usable_size{nullptr};

const void* module_of(void* address) {
  dl_find_object found{};
  return _dl_find_object(address, &found) == 0 ? found.dlfo_link_map : nullptr;
}

}  // namespace

constinit std::uint64_t libc_blocks_above = kNoLibcBlocks;

void recognize_allocator() {
  const void* const freeing = module_of(reinterpret_cast<void*>(real::call(real::free)));
  const void* const libc = module_of(reinterpret_cast<void*>(real::call(real::munmap)));
  void* const malloc_function = dlsym(RTLD_DEFAULT, "malloc");
  void* const size_function = dlsym(RTLD_NEXT, "malloc_usable_size");
  __asm__ volatile("" ::: "memory");  // dlsym must not become a tail call
  const bool libc_allocates = freeing == libc && module_of(malloc_function) == libc;
  libc_blocks_above = libc_allocates ? 0 : kNoLibcBlocks;
  if (size_function != nullptr && module_of(size_function) == freeing) {
    usable_size.store(reinterpret_cast<UsableSize>(size_function), std::memory_order_relaxed);
  }
}

std::uint64_t block_size(void* p) {
  constexpr std::uint64_t kHeader = sizeof(std::uint64_t);
  if (p == nullptr) return 0;
  if (libc_blocks_above != kNoLibcBlocks) return libc_chunk_size(p) - kHeader;
  if (const UsableSize size = usable_size.load(std::memory_order_relaxed)) return size(p);
  return kPage - reinterpret_cast<std::uint64_t>(p) % kPage;
}

}  // namespace impasse
