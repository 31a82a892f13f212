// A thread that goes on while it is looked at: what stands is told apart from what changes.
#include <gtest/gtest.h>

#include <functional>
#include <utility>

#include "detector/ledger_reader.h"
#include "ledger_image.h"

namespace impasse {
namespace {

constexpr std::uint8_t kMutexTrait = static_cast<std::uint8_t>(LockKind::kMutex);

bool seen_changing(LedgerImage& image) {
  MemorySource source(image.bytes(), image.size());
  const LedgerReading result = read_ledger(source);
  EXPECT_EQ(result.problem, "");
  return result.snapshot.threads.at(0).changing;
}

// Changes the ledger before some of the reads of a slot's page.
class LivelySource final : public MemorySource {
 public:
  LivelySource(LedgerImage& image, std::function<void(unsigned look)> change)
      : MemorySource(image.bytes(), image.size()), change_(std::move(change)) {}

  bool read(std::uint64_t offset, void* buffer, std::size_t bytes) override {
    if (bytes == kPage && offset >= kPage) change_(looks_++);
    return MemorySource::read(offset, buffer, bytes);
  }
  unsigned looks() const { return looks_; }

 private:
  std::function<void(unsigned)> change_;
  unsigned looks_ = 0;
};

TEST(ChangingLedger, AThreadThatChangesOnceIsLookedAtAgain) {
  LedgerImage image;
  ThreadSlot& slot = image.thread(100, "");
  LedgerImage::hold(slot, 0x8000, kMutexTrait);
  LivelySource source(image, [&](unsigned look) {
    if (look == 1) LedgerImage::hold(slot, 0x9000, kMutexTrait);
  });
  const LedgerReading result = read_ledger(source);
  EXPECT_EQ(source.looks(), 3u);
  EXPECT_FALSE(result.snapshot.threads[0].changing);
  EXPECT_EQ(result.snapshot.threads[0].holds.size(), 2u);
}

TEST(ChangingLedger, OfABusyThreadWhatItHoldsAllTheTimeIsTold) {
  LedgerImage image;
  ThreadSlot& slot = image.thread(100, "");
  LedgerImage::hold(slot, 0x7000, kMutexTrait);
  LedgerImage::hold(slot, 0x8000, kMutexTrait);
  LedgerImage::hold(slot, 0x9000, kMutexTrait);
  LivelySource source(image, [&](unsigned look) {
    // An inner lock goes and comes; the last look sees it.
    if (look % 2 == 1) {
      LedgerImage::hold(slot, 0x9000, kMutexTrait);
    } else {
      slot.holds[2].lock = 0;
      slot.state = slot.state + kStateStep - 1;
    }
  });
  const LedgerReading result = read_ledger(source);
  EXPECT_EQ(source.looks(), kLooks);
  const ThreadFact& thread = result.snapshot.threads[0];
  EXPECT_TRUE(thread.changing);
  ASSERT_EQ(thread.holds.size(), 2u);
  EXPECT_EQ(thread.holds[0].lock, 0x7000u);
  EXPECT_EQ(thread.holds[1].lock, 0x8000u);
}

TEST(ChangingLedger, TheSameStateWithOtherHoldsIsNoProof) {
  LedgerImage image;
  ThreadSlot& slot = image.thread(100, "");
  LedgerImage::hold(slot, 0x8000, kMutexTrait, hold_phase::kAcquiring);
  LivelySource source(image, [&](unsigned look) {
    // A grant changes the phase and the stamp, not the state word.
    if (look == 1)
      slot.holds[0].site = LedgerImage::site_word(0x5555'0000'1000, 0, hold_phase::kHeld);
  });
  const LedgerReading result = read_ledger(source);
  EXPECT_FALSE(result.snapshot.threads[0].changing);
  EXPECT_EQ(result.snapshot.threads[0].holds[0].phase, hold_phase::kHeld);
}

TEST(ChangingLedger, HoldsThatAreBeingMovedAreNotTrusted) {
  LedgerImage image;
  ThreadSlot& slot = image.thread(100, "");
  LedgerImage::hold(slot, 0x8000, kMutexTrait);
  slot.state = slot.state | kRearranging;
  EXPECT_TRUE(seen_changing(image));
  slot.state = slot.state & ~kRearranging;
  slot.deep_change = 7;
  EXPECT_TRUE(seen_changing(image));
}

TEST(ChangingLedger, AWaitThatEndsMeanwhileIsNotTold) {
  LedgerImage image;
  ThreadSlot& slot = image.thread(100, "");
  LedgerImage::wait(slot, WaitKind::kMutex, 0x8000);
  LivelySource source(image, [&](unsigned) {
    slot.wait.sequence = slot.wait.sequence + 2;
    slot.wait.object = slot.wait.object + 64;
  });
  const LedgerReading result = read_ledger(source);
  EXPECT_TRUE(result.snapshot.threads[0].changing);
  EXPECT_FALSE(result.snapshot.threads[0].wait.has_value());
}

TEST(ChangingLedger, ASlotThatAnotherThreadTakesOverHasItsHoldsOnly) {
  LedgerImage image;
  ThreadSlot& slot = image.thread(100, "old");
  LedgerImage::hold(slot, 0x8000, kMutexTrait);
  LivelySource source(image, [&](unsigned look) {
    slot.state = slot.state + kStateStep;
    if (look == 3) slot.tid = 200;
  });
  const LedgerReading result = read_ledger(source);
  EXPECT_EQ(result.snapshot.threads[0].tid, 200u);

  LivelySource ending(image, [&](unsigned look) {
    slot.state = slot.state + kStateStep;
    if (look == 2) slot.life = static_cast<std::uint32_t>(ThreadLife::kFree);
  });
  const LedgerReading ended = read_ledger(ending);
  EXPECT_TRUE(ended.snapshot.threads.empty());
  EXPECT_EQ(ended.snapshot.senseless, 0u);
}

}  // namespace
}  // namespace impasse
