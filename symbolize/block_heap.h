// The allocator inside an arena: size classes in pages of 64 KiB, larger blocks in runs of pages.
//
// Promises: uses the range of addresses that it is given and nothing else; every block is aligned
// to 16; a page whose blocks are all free serves any other size. For one thread at a time.
// Cost: a few dozen instructions; a new run is looked for from the lowest free page upwards.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace impasse::symbolize {

class BlockHeap {
 public:
  static constexpr std::size_t kPageBytes = std::size_t{64} << 10;

  // `base` is aligned to a page; all of it is reserved (PROT_NONE) or empty. The heap's own table
  // lies at its beginning. False: not even that could be made accessible.
  bool begin(unsigned char* base, std::size_t bytes);
  // Gives all memory of a range back to the kernel; what was accessible stays so, full of zeros.
  static bool empty(unsigned char* base, std::size_t bytes);

  void* take(std::size_t bytes, std::size_t alignment = 16);
  // False: there is no such block.
  bool give_back(void* block);
  // How much fits in this block; 0: there is no such block.
  std::size_t room(const void* block) const;
  // Gives the kernel what is not in use: free pages, and the ends of those that have blocks.
  void trim();

  std::size_t bytes_in_use() const { return bytes_in_use_; }
  std::size_t most_bytes_in_use() const { return most_bytes_in_use_; }
  std::size_t blocks_in_use() const { return blocks_in_use_; }
  std::size_t touched_bytes() const { return touched_pages_ * kPageBytes; }
  std::size_t most_touched_bytes() const { return most_touched_pages_ * kPageBytes; }

 private:
  static constexpr std::size_t kSmallestClass = 16;
  static constexpr std::size_t kClasses = 32;  // 16 to 128 in steps of 16, then 4 a doubling: 8 KiB
  static constexpr std::uint32_t kNoPage = 0xffff'ffff;

  enum class Use : std::uint8_t { kFree, kBlocks, kRun, kRest };

  struct FreeBlock {
    FreeBlock* next;
  };

  struct Page {
    Use use;
    bool touched;  // may be resident
    std::uint8_t size_class;
    std::uint32_t pages;   // of a run, in its first page
    std::uint32_t in_use;  // blocks
    std::uint32_t made;    // blocks that were ever handed out; those beyond are untouched
    FreeBlock* free;
    std::uint32_t next, previous;  // among the pages of its class that have room
  };

  static std::size_t class_bytes(std::size_t size_class);
  static std::size_t class_for(std::size_t bytes, std::size_t alignment);

  void* take_block(std::size_t size_class);
  std::uint32_t take_run(std::uint32_t pages);
  bool make_accessible(std::uint32_t pages);
  void give_back_run(std::uint32_t first, std::uint32_t pages);
  void give_to_kernel(std::uint32_t first, std::uint32_t pages);
  void trim_end(std::uint32_t page);
  void link(std::uint32_t page);
  void unlink(std::uint32_t page);
  void count_taken(std::size_t bytes);
  std::uint32_t page_of(const void* block) const;
  unsigned char* address(std::uint32_t page) const { return base_ + page * kPageBytes; }
  bool is_block(const Page& page, std::uint32_t number, const void* block) const;

  unsigned char* base_ = nullptr;
  std::uint32_t pages_ = 0;        // in the range
  std::uint32_t first_ = 0;        // the pages before hold the table
  std::uint32_t lowest_free_ = 0;  // no page below is free
  std::uint32_t used_end_ = 0;     // no page from here on is in use
  std::uint32_t accessible_ = 0;   // pages from the beginning
  Page* table_ = nullptr;
  std::array<std::uint32_t, kClasses> with_room_{};
  std::size_t bytes_in_use_ = 0;
  std::size_t most_bytes_in_use_ = 0;
  std::size_t blocks_in_use_ = 0;
  std::size_t touched_pages_ = 0;
  std::size_t most_touched_pages_ = 0;
};

}  // namespace impasse::symbolize
