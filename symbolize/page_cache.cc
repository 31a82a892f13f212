#include "symbolize/page_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <cstring>

namespace impasse::symbolize {

PageCache::~PageCache() {
  give_back();
}

void PageCache::give_back() {
  clear();
  if (bytes_ != nullptr) munmap(bytes_, kPages * kPage);
  bytes_ = nullptr;
}

const unsigned char* PageCache::page(const system::Memory& memory, std::uint64_t start) {
  if (bytes_ == nullptr) {
    void* const made = mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (made == MAP_FAILED) return nullptr;
    bytes_ = static_cast<unsigned char*>(made);
  }
  const std::size_t at = start / kPage % kPages;
  Slot& slot = slots_[at];
  unsigned char* const bytes = bytes_ + at * kPage;
  if (slot.generation != generation_ || slot.page != start) {
    slot = {start, generation_, memory.read_all(start, bytes, kPage)};
  }
  return slot.readable ? bytes : nullptr;
}

std::size_t PageCache::read(const system::Memory& memory, std::uint64_t address, void* into,
                            std::size_t bytes) {
  std::size_t done = 0;
  while (done < bytes) {
    const std::uint64_t from = address + done;
    const std::uint64_t start = from & ~(kPage - 1);
    const unsigned char* const found = page(memory, start);
    if (found == nullptr) break;
    const std::size_t part = std::min<std::size_t>(bytes - done, start + kPage - from);
    std::memcpy(static_cast<unsigned char*>(into) + done, found + (from - start), part);
    done += part;
  }
  return done;
}

}  // namespace impasse::symbolize
