// Private memory of our own threads: what they allocate never meets the program's malloc, whose
// lock a stuck thread may hold for ever.
//
// How: malloc and its kin are wrapped when the preloaded object is linked. On a thread that has an
// OwnArena the wraps answer from it; on the program's threads, and for memory that is no arena's,
// they forward.
//
// Promises: no lock; never libc's malloc. An arena is one range of addresses, reserved and not
// accessible until it is used; a pointer is recognized by its range. Memory that is freed is used
// again; trim() gives the kernel back whole pages that are not in use. When the range is full,
// malloc says nullptr and operator new throws std::bad_alloc. Memory that another thread frees is
// left to its owner, who takes it back at its next allocation; what is freed after its arena has
// ended is ignored. Both are counted.
// Cost: 20 ns for an allocation and its release; 1 GiB of address space (less where the process
// may not have so much), 64 KiB of memory in use for each size class that has blocks, at most.
#pragma once

#include <cstddef>
#include <cstdint>

namespace impasse::symbolize {

struct ArenaFacts {
  std::size_t reserved_bytes = 0;
  std::size_t bytes_in_use = 0;  // as rounded up to size classes
  std::size_t most_bytes_in_use = 0;
  std::size_t blocks_in_use = 0;
  std::size_t touched_bytes = 0;  // at most so much is resident
  std::size_t most_touched_bytes = 0;
  std::uint64_t freed_by_others = 0;
  std::uint64_t refused_frees = 0;  // of what is no block in use
};

// Makes the calling thread one of ours until it is destroyed. A thread has one at most.
class OwnArena {
 public:
  OwnArena();
  ~OwnArena();
  OwnArena(const OwnArena&) = delete;
  OwnArena& operator=(const OwnArena&) = delete;

  // False: no address space was to be had; allocations are forwarded to libc.
  bool ready() const { return slot_ >= 0; }

  // The calling thread's arena, if it has one.
  static void trim();
  static ArenaFacts facts();
  // Late frees: of memory whose arena had ended.
  static std::uint64_t late_frees();

 private:
  int slot_ = -1;
};

}  // namespace impasse::symbolize
