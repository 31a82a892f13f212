// The memory of our own threads against a naive model; what it does at its limits, with other
// threads' frees, after it has ended. Also libbacktrace's memory.
#include "symbolize/arena.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <new>
#include <random>
#include <thread>
#include <vector>

#include "symbolize/block_heap.h"
#include "symbolize/burst_memory.h"

namespace {

using impasse::symbolize::BurstMemory;
using impasse::symbolize::OwnArena;

// On a thread of its own, with an arena.
template <typename Work>
void on_own_thread(Work work) {
  std::thread([&] {
    const OwnArena arena;
    ASSERT_TRUE(arena.ready());
    work();
  }).join();
}

long resident_kib() {
  long size = 0;
  long pages = 0;
  std::ifstream("/proc/self/statm") >> size >> pages;
  return pages * 4;
}

struct Block {
  std::size_t bytes;
  unsigned char mark;
};

// Every live block: full of its mark, and apart from every other.
class Model {
 public:
  void add(void* memory, std::size_t bytes) {
    auto* const start = static_cast<unsigned char*>(memory);
    const auto after = blocks_.lower_bound(start);
    if (after != blocks_.end()) {
      ASSERT_LE(start + bytes, after->first);
    }
    if (after != blocks_.begin()) {
      const auto before = std::prev(after);
      ASSERT_LE(before->first + before->second.bytes, start);
    }
    const auto mark = static_cast<unsigned char>(++marks_);
    std::memset(memory, mark, bytes);
    blocks_[start] = {bytes, mark};
  }
  void check(unsigned char* start, std::size_t bytes) const {
    const Block& block = blocks_.at(start);
    for (std::size_t i = 0; i < std::min(bytes, block.bytes); ++i) {
      ASSERT_EQ(start[i], block.mark);
    }
  }
  unsigned char* any(std::mt19937& random) const {
    auto at = blocks_.begin();
    std::advance(at, random() % blocks_.size());
    return at->first;
  }
  std::size_t bytes(unsigned char* start) const { return blocks_.at(start).bytes; }
  void remove(unsigned char* start) { blocks_.erase(start); }
  std::size_t size() const { return blocks_.size(); }

 private:
  std::map<unsigned char*, Block> blocks_;
  unsigned marks_ = 0;
};

std::size_t any_size(std::mt19937& random) {
  const std::size_t most = std::size_t{1} << (random() % 19);
  return random() % (most + 1);
}

TEST(Arena, RandomOperationsAgainstAModel) {
  // The model's own memory comes from the same arena: more operations, not fewer.
  on_own_thread([] {
    std::mt19937 random(20260101);
    {
      Model model;
      for (int i = 0; i < 60'000; ++i) {
        const unsigned choice = random() % 8;
        if (model.size() < 20 || (choice < 3 && model.size() < 600)) {
          const std::size_t bytes = any_size(random);
          const std::size_t alignment = std::size_t{16} << (random() % 9);
          void* const block = choice == 0 ? aligned_alloc(alignment, bytes) : malloc(bytes);
          ASSERT_NE(block, nullptr);
          ASSERT_EQ(reinterpret_cast<std::uintptr_t>(block) % (choice == 0 ? alignment : 16), 0u);
          model.add(block, bytes);
        } else if (choice == 3) {
          unsigned char* const old = model.any(random);
          const std::size_t had = model.bytes(old);
          const std::size_t bytes = any_size(random) + 1;
          model.check(old, had);
          const unsigned char mark = had != 0 ? *old : 0;
          model.remove(old);
          auto* const fresh = static_cast<unsigned char*>(realloc(old, bytes));
          ASSERT_NE(fresh, nullptr);
          for (std::size_t k = 0; k < std::min(had, bytes); ++k) ASSERT_EQ(fresh[k], mark);
          model.add(fresh, bytes);
        } else if (choice == 4) {
          const std::size_t bytes = any_size(random);
          auto* const block = static_cast<unsigned char*>(calloc(1, bytes));
          ASSERT_NE(block, nullptr);
          ASSERT_EQ(std::count(block, block + bytes, 0), static_cast<long>(bytes));
          model.add(block, bytes);
        } else {
          unsigned char* const block = model.any(random);
          model.check(block, ~std::size_t{0});
          model.remove(block);
          free(block);
        }
        if (i % 5'000 == 0) OwnArena::trim();
      }
      while (model.size() != 0) {
        unsigned char* const block = model.any(random);
        model.check(block, ~std::size_t{0});
        model.remove(block);
        free(block);
      }
    }
    EXPECT_EQ(OwnArena::facts().bytes_in_use, 0u);
    EXPECT_EQ(OwnArena::facts().blocks_in_use, 0u);
    EXPECT_EQ(OwnArena::facts().refused_frees, 0u);
    OwnArena::trim();
    EXPECT_EQ(OwnArena::facts().touched_bytes, 0u);
  });
}

TEST(Arena, MonthsOfBurstsDoNotGrow) {
  on_own_thread([] {
    std::mt19937 random(7);
    std::size_t after_first = 0;
    std::vector<void*> kept;
    kept.reserve(1'000);
    for (int burst = 0; burst < 400; ++burst) {
      std::vector<void*> blocks;
      for (int i = 0; i < 300; ++i) blocks.push_back(malloc(any_size(random)));
      std::shuffle(blocks.begin(), blocks.end(), random);
      for (void* const block : blocks) free(block);
      if (burst == 20) after_first = OwnArena::facts().touched_bytes;
    }
    EXPECT_LE(OwnArena::facts().touched_bytes, 2 * after_first);
  });
}

TEST(Arena, ABurstIsGivenBack) {
  on_own_thread([] {
    const long before = resident_kib();
    std::vector<char*> blocks;
    blocks.reserve(20'000);
    for (int i = 0; i < 20'000; ++i) blocks.push_back(new char[4'000]);
    for (char* const block : blocks) block[0] = block[3'999] = 1;
    EXPECT_GT(resident_kib() - before, 70'000);
    for (char* const block : blocks) delete[] block;
    blocks = {};
    OwnArena::trim();
    EXPECT_LT(resident_kib() - before, 4'000);
  });
}

std::size_t present_pages(void* start, std::size_t pages) {
  std::vector<unsigned char> present(pages);
  EXPECT_EQ(mincore(start, pages * 4'096, present.data()), 0);
  return static_cast<std::size_t>(
      std::count_if(present.begin(), present.end(), [](unsigned char one) { return one & 1; }));
}

// A page of the heap has sixteen of the kernel's; the blocks that stay keep theirs.
TEST(Arena, EndsOfPagesInUseGoBack) {
  on_own_thread([] {
    constexpr std::size_t kBytes = 512;
    constexpr std::size_t kBlocks = 128;  // a page of the heap
    constexpr std::size_t kStaying = 20;  // in three of the kernel's
    std::vector<unsigned char*> blocks;
    blocks.reserve(kBlocks);
    for (std::size_t i = 0; i < kBlocks; ++i) {
      blocks.push_back(static_cast<unsigned char*>(malloc(kBytes)));
      std::memset(blocks.back(), static_cast<int>(i + 1), kBytes);
    }
    unsigned char* const page = blocks.front();
    ASSERT_EQ(blocks.back(), page + (kBlocks - 1) * kBytes);
    ASSERT_EQ(present_pages(page, 16), 16U);
    for (std::size_t i = 0; i < kBlocks; ++i)
      if (i + 1 != kStaying) free(blocks[i]);
    OwnArena::trim();
    EXPECT_EQ(present_pages(page, 16), 3U);
    const auto is_whole = [&] {
      return std::all_of(blocks[kStaying - 1], blocks[kStaying - 1] + kBytes,
                         [&](unsigned char byte) { return byte == kStaying; });
    };
    EXPECT_TRUE(is_whole());
    // The lowest serve first, and each once.
    for (std::size_t i = 0; i < kBlocks; ++i) {
      if (i + 1 == kStaying) continue;
      EXPECT_EQ(malloc(kBytes), blocks[i]);
      std::memset(blocks[i], 255, kBytes);
    }
    EXPECT_TRUE(is_whole());
    for (unsigned char* const block : blocks) free(block);
    EXPECT_EQ(OwnArena::facts().refused_frees, 0U);
  });
}

TEST(Arena, OtherThreadsFreesComeBackToTheOwner) {
  on_own_thread([] {
    std::vector<void*> blocks;
    for (int i = 0; i < 1'000; ++i) blocks.push_back(malloc(100));
    const std::size_t before = OwnArena::facts().blocks_in_use;
    std::vector<std::thread> threads;
    for (std::size_t t = 0; t < 4; ++t) {
      threads.emplace_back([&blocks, t] {
        for (std::size_t i = t; i < blocks.size(); i += 4) free(blocks[i]);
      });
    }
    for (std::thread& thread : threads) thread.join();
    OwnArena::trim();
    EXPECT_LE(OwnArena::facts().blocks_in_use, before - 1'000 + 4);
    EXPECT_GE(OwnArena::facts().freed_by_others, 1'000u);
    EXPECT_EQ(OwnArena::facts().refused_frees, 0u);
  });
}

TEST(Arena, FreesAfterItsEndAreIgnored) {
  void* late = nullptr;
  on_own_thread([&] { late = malloc(100); });
  const std::uint64_t before = OwnArena::late_frees();
  free(late);
  EXPECT_EQ(OwnArena::late_frees(), before + 1);
}

TEST(Arena, WhatIsNoBlockIsRefused) {
  on_own_thread([] {
    auto* const block = static_cast<char*>(malloc(64));
    free(block + 8);
    EXPECT_EQ(OwnArena::facts().refused_frees, 1u);
    free(block);
  });
}

TEST(Arena, OtherMemoryGoesToTheRealFree) {
  char* const of_the_program = strdup("libc's own");
  on_own_thread([of_the_program] {
    char* const of_libc = strdup("allocated inside libc");
    free(of_libc);
    free(of_the_program);
    EXPECT_EQ(OwnArena::facts().refused_frees, 0u);
  });
}

TEST(Arena, FullMeansNullAndBadAlloc) {
  on_own_thread([] {
    const std::size_t reserved = OwnArena::facts().reserved_bytes;
    EXPECT_EQ(malloc(reserved), nullptr);
    EXPECT_EQ(errno, ENOMEM);
    EXPECT_THROW(::operator delete(::operator new(reserved)), std::bad_alloc);
    EXPECT_EQ(calloc(~std::size_t{0} / 2, 3), nullptr);
    std::vector<void*> blocks;
    blocks.reserve(10'000);
    while (void* const block = malloc(std::size_t{1} << 20)) blocks.push_back(block);
    EXPECT_GT(blocks.size(), reserved / (std::size_t{1} << 20) * 8 / 10);
    for (void* const block : blocks) free(block);
    void* const again = malloc(std::size_t{1} << 20);
    EXPECT_NE(again, nullptr);
    free(again);
  });
}

// By the test below, in a process with a limit.
TEST(Arena, DISABLED_UnderALimit) {
  on_own_thread([] {
    EXPECT_GE(OwnArena::facts().reserved_bytes, std::size_t{4} << 20);
    EXPECT_LE(OwnArena::facts().reserved_bytes, std::size_t{32} << 20);
  });
}

TEST(Arena, ALimitOfAddressSpaceMakesItSmaller) {
  const pid_t child = fork();
  if (child == 0) {
    const rlimit limit{std::size_t{512} << 20, std::size_t{512} << 20};
    setrlimit(RLIMIT_AS, &limit);
    execl("/proc/self/exe", "arena", "--gtest_filter=*UnderALimit",
          "--gtest_also_run_disabled_tests", nullptr);
    _exit(2);
  }
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
}

// A child has its parent's arenas without their threads.
TEST(Arena, AForkedChildStartsAnew) {
  std::atomic<bool> begun{false};
  std::atomic<bool> over{false};
  std::thread parents([&] {
    const OwnArena arena;
    void* const block = malloc(1'000);
    begun.store(true);
    while (!over.load()) std::this_thread::yield();
    free(block);
    EXPECT_EQ(OwnArena::facts().bytes_in_use, 0u);
  });
  while (!begun.load()) std::this_thread::yield();
  const pid_t child = fork();
  if (child == 0) {
    bool right = false;
    std::thread([&right] {
      const OwnArena arena;
      void* const own = malloc(100);
      right = arena.ready() && own != nullptr && OwnArena::facts().bytes_in_use == 112;
      free(own);
    }).join();
    _exit(right ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  over.store(true);
  parents.join();
  EXPECT_EQ(status, 0);
}

TEST(BurstMemory, RandomOperationsAgainstAModel) {
  std::mt19937 random(5);
  BurstMemory memory(std::size_t{512} << 20);
  Model model;
  for (int i = 0; i < 40'000; ++i) {
    const bool full = model.size() > 800;
    if (model.size() < 20 || (random() % 2 == 0 && !full)) {
      const std::size_t bytes = 1 + random() % (std::size_t{1} << (random() % 21));
      void* const block = memory.take(bytes);
      ASSERT_NE(block, nullptr);
      model.add(block, bytes);
      continue;
    }
    unsigned char* const block = model.any(random);
    model.check(block, ~std::size_t{0});
    const std::size_t bytes = model.bytes(block);
    const unsigned char mark = *block;
    model.remove(block);
    if (random() % 4 != 0 || bytes < 3) {
      memory.give_back(block, bytes);
    } else {  // the end alone, as a vector does, later the beginning
      const std::size_t kept = 1 + random() % (bytes - 1);
      memory.give_back(block + kept, bytes - kept);
      for (std::size_t k = 0; k < kept; ++k) ASSERT_EQ(block[k], mark);
      model.add(block, kept);
    }
  }
}

TEST(BurstMemory, IsBoundedAndGivesEverythingBack) {
  const long before = resident_kib();
  {
    BurstMemory memory(std::size_t{32} << 20);
    EXPECT_EQ(BurstMemory::present(), &memory);
    std::size_t taken = 0;
    while (void* const block = memory.take(100'000)) {
      std::memset(block, 1, 100'000);
      taken += 100'000;
    }
    EXPECT_TRUE(memory.exhausted());
    EXPECT_GT(taken, std::size_t{28} << 20);
    EXPECT_LE(memory.bytes(), std::size_t{32} << 20);
  }
  EXPECT_EQ(BurstMemory::present(), nullptr);
  EXPECT_LT(resident_kib() - before, 2'000);
}

}  // namespace
