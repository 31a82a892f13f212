#include "symbolize/block_heap.h"

#include <sys/mman.h>

#include <algorithm>
#include <bitset>

namespace impasse::symbolize {
namespace {

constexpr std::size_t kFineClasses = 8;  // in steps of the smallest
constexpr std::size_t kFineEnd = 128;
// Pages are made accessible so many at a time: few calls, and what is accessible counts as used
// where memory must not be promised twice (vm.overcommit_memory=2).
constexpr std::uint32_t kAccessStep = 16;
constexpr std::size_t kKernelPage = 4096;
// A freed run of this many pages goes back to the kernel at once.
constexpr std::uint32_t kBigRun = 16;

}  // namespace

std::size_t BlockHeap::class_bytes(std::size_t size_class) {
  if (size_class < kFineClasses) return (size_class + 1) * kSmallestClass;
  const std::size_t step = size_class - kFineClasses;
  const std::size_t doubled = kFineEnd << (step / 4);
  return doubled + doubled / 4 * (step % 4 + 1);
}

// kClasses: none, it takes a run of pages. Blocks lie at multiples of their size from the page's
// beginning.
std::size_t BlockHeap::class_for(std::size_t bytes, std::size_t alignment) {
  if (bytes <= kFineEnd && alignment <= kSmallestClass) {
    return (std::max<std::size_t>(bytes, 1) - 1) / kSmallestClass;
  }
  std::size_t low = 0;
  std::size_t high = kClasses;
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    if (class_bytes(middle) < bytes) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  while (low < kClasses && class_bytes(low) % alignment != 0) ++low;
  return low;
}

bool BlockHeap::begin(unsigned char* base, std::size_t bytes) {
  *this = BlockHeap();
  base_ = base;
  pages_ = static_cast<std::uint32_t>(bytes / kPageBytes);
  first_ = static_cast<std::uint32_t>((pages_ * sizeof(Page) + kPageBytes - 1) / kPageBytes);
  lowest_free_ = used_end_ = first_;
  if (first_ >= pages_ || mprotect(base, first_ * kPageBytes, PROT_READ | PROT_WRITE) != 0) {
    return false;
  }
  accessible_ = first_;
  table_ = reinterpret_cast<Page*>(base);
  with_room_.fill(kNoPage);
  return true;
}

bool BlockHeap::empty(unsigned char* base, std::size_t bytes) {
  if (madvise(base, bytes, MADV_DONTNEED) == 0) return true;
  // Locked memory (mlockall) is given back only by mapping it anew.
  return mmap(base, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
              0) != MAP_FAILED;
}

void* BlockHeap::take(std::size_t bytes, std::size_t alignment) {
  if (alignment > kPageBytes || bytes > std::size_t{pages_} * kPageBytes) return nullptr;
  const std::size_t size_class = class_for(bytes, alignment);
  if (size_class < kClasses) return take_block(size_class);
  const auto pages =
      static_cast<std::uint32_t>(std::max<std::size_t>(1, (bytes + kPageBytes - 1) / kPageBytes));
  const std::uint32_t first = take_run(pages);
  if (first == kNoPage) return nullptr;
  table_[first].use = Use::kRun;
  table_[first].pages = pages;
  for (std::uint32_t i = first + 1; i < first + pages; ++i) table_[i].use = Use::kRest;
  count_taken(pages * kPageBytes);
  return address(first);
}

void* BlockHeap::take_block(std::size_t size_class) {
  const std::size_t bytes = class_bytes(size_class);
  std::uint32_t number = with_room_[size_class];
  if (number == kNoPage) {
    number = take_run(1);
    if (number == kNoPage) return nullptr;
    Page& fresh = table_[number];
    fresh.use = Use::kBlocks;
    fresh.size_class = static_cast<std::uint8_t>(size_class);
    fresh.in_use = fresh.made = 0;
    fresh.free = nullptr;
    link(number);
  }
  Page& page = table_[number];
  void* block = page.free;
  if (block != nullptr) {
    page.free = page.free->next;
  } else {
    block = address(number) + page.made * bytes;
    ++page.made;
  }
  ++page.in_use;
  if (page.free == nullptr && (page.made + 1) * bytes > kPageBytes) unlink(number);
  count_taken(bytes);
  return block;
}

// First fit, from below: what is high up becomes empty and can be given back.
std::uint32_t BlockHeap::take_run(std::uint32_t pages) {
  std::uint32_t first = lowest_free_;
  std::uint32_t found = 0;
  std::uint32_t i = first;
  while (i < used_end_ && found < pages) {
    if (table_[i].use == Use::kFree) {
      if (found++ == 0) first = i;
      ++i;
    } else {
      found = 0;
      i += table_[i].use == Use::kRun ? table_[i].pages : 1;
    }
  }
  if (found == 0) first = std::max(used_end_, lowest_free_);
  if (pages > pages_ - first || !make_accessible(first + pages)) return kNoPage;
  for (i = first; i < first + pages; ++i) {
    if (!table_[i].touched) {
      table_[i].touched = true;
      ++touched_pages_;
    }
  }
  most_touched_pages_ = std::max(most_touched_pages_, touched_pages_);
  used_end_ = std::max(used_end_, first + pages);
  if (first == lowest_free_) lowest_free_ = first + pages;
  return first;
}

bool BlockHeap::make_accessible(std::uint32_t pages) {
  if (pages <= accessible_) return true;
  const std::uint32_t wanted = std::min(pages_, std::max(pages, accessible_ + kAccessStep));
  if (mprotect(address(accessible_), (wanted - accessible_) * kPageBytes, PROT_READ | PROT_WRITE) !=
      0) {
    return false;
  }
  accessible_ = wanted;
  return true;
}

void BlockHeap::count_taken(std::size_t bytes) {
  bytes_in_use_ += bytes;
  most_bytes_in_use_ = std::max(most_bytes_in_use_, bytes_in_use_);
  ++blocks_in_use_;
}

std::uint32_t BlockHeap::page_of(const void* block) const {
  const auto offset =
      reinterpret_cast<std::uintptr_t>(block) - reinterpret_cast<std::uintptr_t>(base_);
  const std::size_t page = offset / kPageBytes;
  return page >= first_ && page < used_end_ ? static_cast<std::uint32_t>(page) : kNoPage;
}

bool BlockHeap::is_block(const Page& page, std::uint32_t number, const void* block) const {
  const auto offset =
      static_cast<std::size_t>(static_cast<const unsigned char*>(block) - address(number));
  if (page.use == Use::kRun) return offset == 0;
  if (page.use != Use::kBlocks) return false;
  const std::size_t bytes = class_bytes(page.size_class);
  return offset % bytes == 0 && offset / bytes < page.made && page.in_use != 0;
}

std::size_t BlockHeap::room(const void* block) const {
  const std::uint32_t number = page_of(block);
  if (number == kNoPage || !is_block(table_[number], number, block)) return 0;
  const Page& page = table_[number];
  return page.use == Use::kRun ? page.pages * kPageBytes : class_bytes(page.size_class);
}

bool BlockHeap::give_back(void* block) {
  const std::size_t bytes = room(block);
  if (bytes == 0) return false;
  const std::uint32_t number = page_of(block);
  Page& page = table_[number];
  bytes_in_use_ -= bytes;
  --blocks_in_use_;
  if (page.use == Use::kRun) {
    give_back_run(number, page.pages);
    return true;
  }
  const bool had_room = page.free != nullptr || (page.made + 1) * bytes <= kPageBytes;
  auto* const freed = static_cast<FreeBlock*>(block);
  freed->next = page.free;
  page.free = freed;
  --page.in_use;
  if (!had_room) link(number);
  // The last page with room of its class stays: the next block comes soon.
  if (page.in_use == 0 && (page.next != kNoPage || page.previous != kNoPage)) {
    unlink(number);
    give_back_run(number, 1);
  }
  return true;
}

void BlockHeap::give_back_run(std::uint32_t first, std::uint32_t pages) {
  for (std::uint32_t i = first; i < first + pages; ++i) table_[i].use = Use::kFree;
  if (pages >= kBigRun) give_to_kernel(first, pages);
  lowest_free_ = std::min(lowest_free_, first);
  if (first + pages == used_end_) {
    used_end_ = first;
    while (used_end_ > first_ && table_[used_end_ - 1].use == Use::kFree) --used_end_;
    lowest_free_ = std::min(lowest_free_, used_end_);
  }
}

void BlockHeap::give_to_kernel(std::uint32_t first, std::uint32_t pages) {
  const std::size_t bytes = pages * kPageBytes;
  if (madvise(address(first), bytes, MADV_DONTNEED) != 0) {
    // Locked memory (mlockall) is given back only by mapping it anew.
    if (mmap(address(first), bytes, PROT_READ | PROT_WRITE,
             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) == MAP_FAILED) {
      return;
    }
  }
  for (std::uint32_t i = first; i < first + pages; ++i) {
    touched_pages_ -= table_[i].touched ? 1 : 0;
    table_[i].touched = false;
  }
}

void BlockHeap::trim() {
  for (std::size_t size_class = 0; size_class < kClasses; ++size_class) {
    std::uint32_t number = with_room_[size_class];
    while (number != kNoPage) {
      const std::uint32_t next = table_[number].next;
      if (table_[number].in_use == 0) {
        unlink(number);
        give_back_run(number, 1);
      } else {
        trim_end(number);
      }
      number = next;
    }
  }
  std::uint32_t first = first_;
  while (first < accessible_) {
    std::uint32_t end = first;
    while (end < accessible_ && table_[end].use == Use::kFree && table_[end].touched) ++end;
    if (end > first) give_to_kernel(first, end - first);
    first = end + 1;
  }
  if (used_end_ < accessible_ &&
      mmap(address(used_end_), (accessible_ - used_end_) * kPageBytes, PROT_NONE,
           MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) != MAP_FAILED) {
    accessible_ = used_end_;
  }
}

// Free blocks behind the last one in use count as never handed out, and the kernel's pages there
// go, with what an earlier use of the page left. Of the other free blocks the lowest serve first.
void BlockHeap::trim_end(std::uint32_t number) {
  Page& page = table_[number];
  const std::size_t bytes = class_bytes(page.size_class);
  std::bitset<kPageBytes / kSmallestClass> free;
  for (const FreeBlock* block = page.free; block != nullptr; block = block->next) {
    const auto offset = reinterpret_cast<const unsigned char*>(block) - address(number);
    free.set(static_cast<std::size_t>(offset) / bytes);
  }
  while (page.made != 0 && free.test(page.made - 1)) --page.made;
  page.free = nullptr;
  for (std::uint32_t i = page.made; i-- > 0;) {
    if (!free.test(i)) continue;
    auto* const block = reinterpret_cast<FreeBlock*>(address(number) + i * bytes);
    block->next = page.free;
    page.free = block;
  }
  const std::size_t start = (page.made * bytes + kKernelPage - 1) / kKernelPage * kKernelPage;
  if (start < kPageBytes) madvise(address(number) + start, kPageBytes - start, MADV_DONTNEED);
}

void BlockHeap::link(std::uint32_t number) {
  Page& page = table_[number];
  std::uint32_t& head = with_room_[page.size_class];
  page.previous = kNoPage;
  page.next = head;
  if (head != kNoPage) table_[head].previous = number;
  head = number;
}

void BlockHeap::unlink(std::uint32_t number) {
  Page& page = table_[number];
  if (page.previous != kNoPage) {
    table_[page.previous].next = page.next;
  } else {
    with_room_[page.size_class] = page.next;
  }
  if (page.next != kNoPage) table_[page.next].previous = page.previous;
  page.next = page.previous = kNoPage;
}

}  // namespace impasse::symbolize
