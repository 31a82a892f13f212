// What libbacktrace takes, in memory that can be given back: its own objects for that (mmap.o and
// mmapio.o of the archive) never return anything, and one look at a large program's debug
// information is worth hundreds of megabytes in the course of a few reports.
//
// How: the functions backtrace_alloc(), backtrace_get_view() and their kin are defined here, and so
// the archive's are not linked. They serve the BurstMemory that the calling thread has; without
// one they fail.
//
// Promises: no lock, no malloc; bounded; everything that libbacktrace took, mapped files included,
// is gone when the BurstMemory is. Its states are invalid then.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace impasse::symbolize {

class BurstMemory {
 public:
  explicit BurstMemory(std::size_t most_bytes);
  ~BurstMemory();
  BurstMemory(const BurstMemory&) = delete;
  BurstMemory& operator=(const BurstMemory&) = delete;

  static BurstMemory* present();  // of the calling thread

  void* take(std::size_t bytes);  // aligned to 16; nullptr: no more
  void give_back(void* block, std::size_t bytes);
  // A part of a file, readable. nullptr: not to be had.
  const unsigned char* map_file(int descriptor, std::uint64_t offset, std::uint64_t bytes,
                                void*& mapped, std::size_t& mapped_bytes);
  void unmap_file(void* mapped);

  // Taken from the kernel for blocks; mapped files are not counted (they cost no memory of their
  // own).
  std::size_t bytes() const { return bytes_; }
  bool exhausted() const { return exhausted_; }  // something was refused for most_bytes

 private:
  static constexpr std::size_t kBins = 48;

  struct alignas(16) Chunk {
    Chunk* next;
    std::size_t bytes;
    std::size_t only_block;  // the size of the one block in it; 0: it has many
  };
  struct Free {
    Free* next;
    std::size_t bytes;
  };
  struct View {
    View* next;
    void* memory;
    std::size_t bytes;
  };

  Chunk* add_chunk(std::size_t bytes, std::size_t only_block);
  void* take_free(std::size_t bytes);
  void keep_free(void* block, std::size_t bytes);

  std::size_t most_bytes_;
  std::size_t bytes_ = 0;
  bool exhausted_ = false;
  Chunk* chunks_ = nullptr;
  View* views_ = nullptr;
  std::array<Free*, kBins> bins_{};  // by the highest bit of a block's size
  BurstMemory* before_;
};

}  // namespace impasse::symbolize
