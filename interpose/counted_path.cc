#include "interpose/counted_path.h"

namespace impasse {

constinit StatBlock nobodys_stats{};
thread_local constinit StatBlock* stat_block __attribute__((tls_model("initial-exec"))) = nullptr;

namespace {

// The place of the newest hold of this lock; kInlineHolds: none, or it is deeper.
std::uint64_t place_of(const ThreadSlot& slot, std::uint64_t lock) {
  for (std::uint64_t i = depth_of(slot.state.load(std::memory_order_relaxed)); i-- > 0;) {
    if (slot.holds[i].lock.load(std::memory_order_relaxed) == lock) return i;
  }
  return kInlineHolds;
}

// Null: the process was forked meanwhile, or has ended its watching.
Ledger* counting_ledger() {
  return stat_block == nullptr ? nullptr : ledger();
}

}  // namespace

void measure_hold(std::uint64_t place, std::uint64_t lock, std::uint64_t site) {
  if (Ledger* const here = counting_ledger()) {
    const std::uint32_t tick = tick_now();
    StatWriter(*here, *stat_block).begin(place, lock, site, cycles_now(), tick);
  }
}

void count_new(std::uint64_t lock, std::uint64_t site) {
  const ErrnoKept errno_kept;
  if (Ledger* const here = counting_ledger())
    StatWriter(*here, *stat_block).count(lock, site, kNoWait);
}

void count_taken(std::uint64_t lock, std::uint64_t pc, std::uint8_t traits, std::uint64_t wait) {
  const ErrnoKept errno_kept;
  Ledger* const here = counting_ledger();
  ThreadSlot* const slot = current_slot;
  if (here == nullptr || slot == nullptr) return;
  StatWriter writer(*here, *stat_block);
  const std::uint64_t site = stat_site(pc, traits);
  writer.count(lock, site, wait);
  const std::uint64_t place = place_of(*slot, lock);
  if (place < kStatSamples) stat_block->samples[place].lock.store(0, std::memory_order_relaxed);
  const std::uint32_t left = stat_block->countdown.load(std::memory_order_relaxed) - 1;
  stat_block->countdown.store(left, std::memory_order_relaxed);
  if (left == 0 || stat_block->last_tick.load(std::memory_order_relaxed) != tick_now())
    writer.begin(place, lock, site, cycles_now(), tick_now());
}

void end_hold_at(ThreadSlot& slot, std::uint64_t place) {
  Ledger* const here = counting_ledger();
  if (here == nullptr || place >= kInlineHolds) return;
  const std::uint64_t now = cycles_now();
  const ErrnoKept errno_kept;
  const Hold& hold = slot.holds[place];
  const std::uint64_t site = hold.site.load(std::memory_order_relaxed);
  const auto since = static_cast<std::uint32_t>(hold.stamp.load(std::memory_order_relaxed));
  StatWriter(*here, *stat_block)
      .end(place, hold.lock.load(std::memory_order_relaxed),
           stat_site(site & kSiteMask, static_cast<std::uint8_t>(site >> kTraitShift)), now,
           tick_now() - since);
}

void end_hold(ThreadSlot& slot, std::uint64_t lock) {
  end_hold_at(slot, place_of(slot, lock));
}

void take_out_counted(ThreadSlot& slot, std::uint64_t place) {
  const std::uint64_t state = slot.state.load(std::memory_order_relaxed);
  const std::uint64_t depth = depth_of(state);
  if (place + 1 == depth) {
    slot.holds[place].lock.store(0, std::memory_order_release);
    slot.state.store(state + kStateStep - 1, std::memory_order_release);
    return;
  }
  take_out(slot, state, place, depth);
  for (std::uint64_t i = place; i + 1 < depth && stat_block != nullptr; ++i) {
    StatSample& to = stat_block->samples[i];
    const StatSample& from = stat_block->samples[i + 1];
    to.site.store(from.site, std::memory_order_relaxed);
    to.since.store(from.since, std::memory_order_relaxed);
    to.weight.store(from.weight, std::memory_order_relaxed);
    to.lock.store(from.lock, std::memory_order_relaxed);
  }
}

int counted_intent_failed(const Hold& intent, int answer) {
  const std::uint64_t lock = intent.lock.load(std::memory_order_relaxed);
  const std::uint64_t site = intent.site.load(std::memory_order_relaxed);
  answer = intent_failed(intent, answer);
  if (acquired(answer))
    count_taken(lock, site & kSiteMask, static_cast<std::uint8_t>(site >> kTraitShift), kNoWait);
  return answer;
}

}  // namespace impasse
