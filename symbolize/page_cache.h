// Pages of a process that were read once and are asked for again and again: code, unwind tables.
//
// Promises: a page that cannot be read is remembered as such and is no crash; 512 pages, no
// allocation by malloc (one mapping, made when the first page is read; if it cannot be made,
// nothing can be read). Cost: 2 µs for a new page, nothing to speak of for a known one.
// clear() it for each snapshot: what is cached is as old as that.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "system/memory.h"

namespace impasse::symbolize {

class PageCache {
 public:
  PageCache() = default;
  ~PageCache();
  PageCache(const PageCache&) = delete;
  PageCache& operator=(const PageCache&) = delete;

  void clear() { ++generation_; }
  void give_back();  // its memory too
  // How many bytes from the front could be read.
  std::size_t read(const system::Memory& memory, std::uint64_t address, void* into,
                   std::size_t bytes);

 private:
  static constexpr std::size_t kPages = 512;
  static constexpr std::uint64_t kPage = 4096;
  struct Slot {
    std::uint64_t page = 0;
    std::uint64_t generation = 0;  // of another one: empty
    bool readable = false;
  };

  const unsigned char* page(const system::Memory& memory, std::uint64_t start);

  std::array<Slot, kPages> slots_;
  unsigned char* bytes_ = nullptr;
  std::uint64_t generation_ = 1;
};

}  // namespace impasse::symbolize
