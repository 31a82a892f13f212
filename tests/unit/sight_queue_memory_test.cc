// The memory of the sights' records: given back after a rest, and had again when it is needed.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "detector/sight_queue.h"
#include "test_ledger.h"

namespace impasse {
namespace {

using test::TestLedger;

constexpr std::uint64_t kRoom = kSmallGeometry.sights;

std::vector<std::uint64_t> moments_in(SightQueue& queue) {
  std::vector<std::uint64_t> moments;
  queue.each([&](const RawSight& sight) { moments.push_back(sight.moment); });
  std::sort(moments.begin(), moments.end());
  return moments;
}

bool make_usable(void* start, std::size_t bytes) {
  return mprotect(start, bytes, PROT_READ | PROT_WRITE) == 0;
}
// Whoever looks at it before it was reserved again dies.
void make_deadly(void* start, std::size_t bytes) {
  EXPECT_EQ(madvise(start, bytes, MADV_DONTNEED), 0);
  EXPECT_EQ(mprotect(start, bytes, PROT_NONE), 0);
}

void give_all_back(SightQueue& queue, std::uint64_t kept) {
  while (queue.give_back(kept, make_deadly)) continue;
}

void tell_of(SightQueue& queue, std::uint64_t count) {
  for (std::uint64_t moment = 1; moment <= count; ++moment) {
    RawSight* const sight = queue.claim();
    ASSERT_NE(sight, nullptr);
    sight->moment = moment;
    queue.tell(*sight);
  }
}

TEST(SightQueueMemory, WhatWasGivenBackIsNotTouchedUntilItIsNeeded) {
  TestLedger ledger(kSmallGeometry, make_usable);
  SightQueue queue(*ledger);
  for (const std::uint64_t kept : {std::uint64_t{4}, std::uint64_t{0}, kRoom - 1}) {
    tell_of(queue, kRoom);
    EXPECT_EQ(moments_in(queue).size(), kRoom);
    give_all_back(queue, kept);
    EXPECT_EQ(ledger->header().sights_used.load(), kept);
    EXPECT_FALSE(queue.any());
    EXPECT_TRUE(moments_in(queue).empty());
  }
  // All of them are there again.
  tell_of(queue, kRoom);
  EXPECT_TRUE(queue.refuses());
  EXPECT_EQ(moments_in(queue).size(), kRoom);
}

TEST(SightQueueMemory, NothingIsGivenBackWhileOneIsInUse) {
  TestLedger ledger(kSmallGeometry, make_usable);
  SightQueue queue(*ledger);
  tell_of(queue, kRoom);
  moments_in(queue);
  RawSight* const unfinished = queue.claim();
  ASSERT_NE(unfinished, nullptr);
  give_all_back(queue, 0);
  EXPECT_EQ(ledger->header().sights_used.load(), kRoom);
  unfinished->moment = 7;
  queue.tell(*unfinished);
  give_all_back(queue, 0);
  EXPECT_EQ(ledger->header().sights_used.load(), kRoom);
  EXPECT_EQ(moments_in(queue), (std::vector<std::uint64_t>{7}));
  give_all_back(queue, 0);
  EXPECT_EQ(ledger->header().sights_used.load(), 0U);
}

// The ledger as a file in memory, which is where it is.
TEST(SightQueueMemory, BlocksOfTheFileGo) {
  const int fd = memfd_create("ledger", MFD_CLOEXEC);
  ASSERT_GE(fd, 0);
  const std::size_t bytes = Ledger::bytes(kSmallGeometry);
  ASSERT_EQ(ftruncate(fd, static_cast<off_t>(bytes)), 0);
  void* const memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ASSERT_NE(memory, MAP_FAILED);
  const auto allocated = [fd] {
    struct stat facts {};
    fstat(fd, &facts);
    return static_cast<std::uint64_t>(facts.st_blocks) * 512;
  };
  const auto touch = [](void* start, std::size_t size) {
    for (std::size_t i = 0; i < size; i += kPage) static_cast<std::byte*>(start)[i] = std::byte{1};
    return true;
  };
  Ledger ledger;
  ASSERT_TRUE(ledger.format(memory, kSmallGeometry, [](void*, std::size_t) { return true; },
                            {4711, "program", "0", 1, 2, 3}));
  SightQueue queue(ledger);
  constexpr std::uint64_t kBytesEach = sizeof(RawSight) + sizeof(SightTail);
  const std::uint64_t before = allocated();
  for (std::uint64_t i = 0; i < kRoom; ++i) {
    RawSight* const sight = queue.claim();
    ASSERT_NE(sight, nullptr);
    ASSERT_EQ(queue.ready(*sight, sizeof(SightTail)), sizeof(SightTail));
    touch(queue.rest_of(*sight).data(), sizeof(SightTail));
    queue.tell(*sight);
  }
  moments_in(queue);
  EXPECT_GE(allocated(), before + kRoom * kBytesEach);
  while (queue.give_back(
      2, [](void* start, std::size_t size) { EXPECT_EQ(madvise(start, size, MADV_REMOVE), 0); })) {
  }
  EXPECT_LE(allocated(), before + 2 * kBytesEach);
  munmap(memory, bytes);
  close(fd);
}

// Every one that was told arrives whole, once, however often memory goes away between them.
TEST(SightQueueMemory, ManyThreadsTellWhileMemoryIsGivenBack) {
  TestLedger ledger(kSmallGeometry, make_usable);
  constexpr std::uint64_t kEach = 2'000;
  std::atomic<std::uint64_t> told{0};
  std::atomic<std::uint64_t> times{0};  // some went
  std::atomic<int> at_work{4};
  std::vector<std::thread> threads;
  for (std::uint64_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      SightQueue queue(*ledger);
      std::uint64_t times_seen = 0;
      for (std::uint64_t i = 0; i < kEach; ++i) {
        // Now and then each of them is quiet, until memory went since it last was.
        if (i % 64 == 63) {
          while (times.load() == times_seen) std::this_thread::yield();
          times_seen = times.load();
        }
        const std::size_t bytes = i % 4 * kPage;
        RawSight* const sight = queue.claim();
        if (sight == nullptr) continue;
        const std::size_t room = queue.ready(*sight, bytes);
        EXPECT_EQ(room, bytes);
        sight->moment = t * kEach + i;
        sight->stack_bytes = static_cast<std::uint32_t>(room);
        std::memset(queue.rest_of(*sight).data(), static_cast<int>(sight->moment % 251), room);
        told.fetch_add(1);
        queue.tell(*sight);
      }
      at_work.fetch_sub(1);
    });
  }
  std::set<std::uint64_t> heard;
  SightQueue queue(*ledger);
  const auto listen = [&] {
    queue.each([&](const RawSight& sight) {
      EXPECT_TRUE(heard.insert(sight.moment).second);
      const auto filled = static_cast<std::uint8_t>(sight.moment % 251);
      const auto written = queue.rest_of(sight).first(sight.stack_bytes);
      EXPECT_TRUE(std::all_of(written.begin(), written.end(),
                              [filled](std::uint8_t byte) { return byte == filled; }));
    });
    const std::uint64_t used = ledger->header().sights_used.load();
    bool more = true;
    while (more) {
      more = queue.give_back(0, make_deadly);
      if (more || ledger->header().sights_used.load() < used) times.fetch_add(1);
    }
  };
  while (at_work.load() != 0) listen();
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(times.load(), kEach / 64);
  listen();
  EXPECT_EQ(heard.size(), told.load());
  EXPECT_FALSE(queue.any());
  EXPECT_EQ(ledger->header().sights_used.load(), 0U);
}

}  // namespace
}  // namespace impasse
