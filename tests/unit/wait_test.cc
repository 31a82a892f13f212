#include "detector/wait.h"

#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <thread>

namespace impasse {
namespace {

WaitFacts facts(std::uint64_t n) {
  return {WaitKind::kMutex,
          n,
          n + 1,
          n + 2,
          hold_trait::kTimed,
          n + 3,
          static_cast<std::uint32_t>(n + 4)};
}

void fill_registers(WaitScope& wait, std::uint64_t value) {
  for (unsigned i = 0; i < kSavedRegisters; ++i)
    wait.registers()[i].store(value + i, std::memory_order_release);
}

void expect_facts(const WaitRecord& record, std::uint64_t n) {
  EXPECT_EQ(record.sequence.load() & 1, 1u);
  EXPECT_EQ(record.object.load(), n);
  EXPECT_EQ(record.partner.load(), n + 1);
  EXPECT_EQ(record.site.load() & kSiteMask, n + 2);
  EXPECT_EQ(record.site.load() >> kPhaseShift, hold_trait::kTimed);
  EXPECT_EQ(record.since_ns.load(), n + 3);
  EXPECT_EQ(record.tick.load(), n + 4);
  for (unsigned i = 0; i < kSavedRegisters; ++i) EXPECT_EQ(record.registers[i].load(), 10 * n + i);
}

TEST(Wait, IsToldWhileItLasts) {
  auto record = std::make_unique<WaitRecord>();
  {
    WaitScope wait(*record, facts(100));
    EXPECT_EQ(record->sequence.load() & 1, 0u);
    fill_registers(wait, 1000);
    wait.publish();
    expect_facts(*record, 100);
  }
  EXPECT_EQ(record->sequence.load() & 1, 0u);
}

TEST(Wait, EndsOnceAlsoWhenEndedByHand) {
  auto record = std::make_unique<WaitRecord>();
  {
    WaitScope wait(*record, facts(1));
    wait.publish();
    wait.end();
    EXPECT_EQ(record->sequence.load(), 2u);
  }
  EXPECT_EQ(record->sequence.load(), 2u);
}

TEST(Wait, OfASignalHandlerPutsTheInterruptedOneBack) {
  auto record = std::make_unique<WaitRecord>();
  WaitScope outer(*record, facts(100));
  fill_registers(outer, 1000);
  outer.publish();
  const std::uint64_t before = record->sequence.load();
  {
    WaitScope inner(*record, facts(200));
    EXPECT_EQ(record->sequence.load() & 1, 0u);
    fill_registers(inner, 2000);
    inner.publish();
    expect_facts(*record, 200);
    EXPECT_EQ(record->outer.load(), 1u);
  }
  expect_facts(*record, 100);
  EXPECT_EQ(record->outer.load(), 0u);
  EXPECT_GT(record->sequence.load(), before);
}

// The handler comes after the facts were written and before they were published.
TEST(Wait, OfASignalHandlerPutsAnUnpublishedOneBack) {
  auto record = std::make_unique<WaitRecord>();
  WaitScope outer(*record, facts(100));
  fill_registers(outer, 1000);
  {
    WaitScope inner(*record, facts(200));
    fill_registers(inner, 2000);
    inner.publish();
    expect_facts(*record, 200);
  }
  EXPECT_EQ(record->sequence.load() & 1, 0u);
  outer.publish();
  expect_facts(*record, 100);
}

// INV-WAIT-1: two equal odd looks at the sequence around a copy prove the copy whole.
TEST(Wait, LooksFromOutsideAreWhole) {
  auto record = std::make_unique<WaitRecord>();
  std::atomic<bool> stop{false};
  std::thread waiter([&] {
    for (std::uint64_t n = 1; !stop.load(std::memory_order_relaxed); ++n) {
      WaitScope wait(*record, facts(100 * n));
      fill_registers(wait, 1000 * n);
      wait.publish();
      if (n % 3 == 0) {
        WaitScope handler(*record, facts(7 * n));
        fill_registers(handler, 70 * n);
        handler.publish();
      }
    }
  });
  int whole = 0;
  for (int i = 0; i < 50'000 || whole < 100; ++i) {
    const std::uint64_t before = record->sequence.load(std::memory_order_acquire);
    const std::uint64_t object = record->object.load(std::memory_order_acquire);
    const std::uint64_t partner = record->partner.load(std::memory_order_acquire);
    const std::uint64_t since = record->since_ns.load(std::memory_order_acquire);
    const std::uint64_t last = record->registers[kR15].load(std::memory_order_acquire);
    const std::uint64_t after = record->sequence.fetch_add(0, std::memory_order_acq_rel);
    if (before != after || (before & 1) == 0) continue;
    ++whole;
    ASSERT_EQ(partner, object + 1);
    ASSERT_EQ(since, object + 3);
    ASSERT_EQ(last, 10 * object + kR15);
  }
  stop = true;
  waiter.join();
}

}  // namespace
}  // namespace impasse
