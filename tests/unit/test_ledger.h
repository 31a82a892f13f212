// A ledger in anonymous memory, and ways to look at it as another thread would.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <vector>

#include "detector/hold_stack.h"
#include "detector/ledger.h"

namespace impasse::test {

class TestLedger {
 public:
  explicit TestLedger(
      const Geometry& geometry = kSmallGeometry,
      Reserve reserve = [](void*, std::size_t) { return true; }) {
    bytes_ = Ledger::bytes(geometry);
    memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    EXPECT_NE(memory_, MAP_FAILED);
    formatted_ = ledger_.format(memory_, geometry, reserve, {4711, "program", "0", 1, 2, 3});
  }
  ~TestLedger() { munmap(memory_, bytes_); }
  TestLedger(const TestLedger&) = delete;
  TestLedger& operator=(const TestLedger&) = delete;

  bool formatted() const { return formatted_; }
  Ledger* operator->() { return &ledger_; }
  Ledger& operator*() { return ledger_; }
  std::uint64_t counter(Counter c) const { return ledger_.header().counters[c].load(); }

 private:
  std::size_t bytes_;
  void* memory_;
  bool formatted_;
  Ledger ledger_;
};

inline std::uint8_t traits_in(std::uint64_t site) {
  return static_cast<std::uint8_t>(site >> kTraitShift);
}

// The locks that a slot holds, by one whole look at it. False: it changed meanwhile.
inline bool look(ThreadSlot& slot, std::vector<std::uint64_t>& locks) {
  locks.clear();
  const std::uint64_t before = slot.state.load(std::memory_order_acquire);
  if ((before & kRearranging) != 0) return false;
  for (std::uint64_t i = 0; i < depth_of(before); ++i) {
    locks.push_back(slot.holds[i].lock.load(std::memory_order_acquire));
    if (locks.back() == 0) return false;
  }
  // As a reader's fence would; ThreadSanitizer knows no fences, so it is an access that nothing may
  // move past.
  return slot.state.fetch_add(0, std::memory_order_acq_rel) == before;
}

// The same where nothing changes.
inline std::vector<std::uint64_t> locks_in(ThreadSlot& slot) {
  std::vector<std::uint64_t> locks;
  EXPECT_TRUE(look(slot, locks));
  return locks;
}

}  // namespace impasse::test
