#include "detector/life_queue.h"

namespace impasse {

// The place has memory from now on.
bool LifeQueue::open(std::uint64_t place) {
  constexpr std::uint64_t kAtOnce = kPage / sizeof(RawLife);
  std::atomic<std::uint64_t>& opened = ledger_.header().lives_open;
  while (opened.load(std::memory_order_acquire) <= place) {
    const GrowthTurn turn(ledger_.growth());
    const std::uint64_t next = opened.load(std::memory_order_relaxed);
    if (!turn) return false;
    if (next > place) return true;
    if (!ledger_.growth().reserve(&ledger_.life(next), kPage)) return false;
    opened.store(next + kAtOnce, std::memory_order_release);
  }
  return true;
}

bool LifeQueue::tell(const LifeEvent& event) {
  LedgerHeader& header = ledger_.header();
  const std::uint64_t capacity = ledger_.life_capacity();
  std::uint64_t number = header.lives_told.load(std::memory_order_relaxed);
  for (;;) {
    RawLife& place = ledger_.life(number % capacity);
    const std::uint64_t writable = 2 * (number / capacity);
    if (!open(number % capacity) || place.turn.load(std::memory_order_acquire) < writable) {
      // Full, unless somebody else was faster.
      const std::uint64_t now = header.lives_told.load(std::memory_order_relaxed);
      if (now == number) {
        ledger_.count(k_lives_dropped);
        return false;
      }
      number = now;
      continue;
    }
    if (!header.lives_told.compare_exchange_weak(number, number + 1, std::memory_order_acq_rel))
      continue;
    place.moment = event.moment;
    place.handle = event.handle;
    place.thread = event.thread;
    place.other = event.other;
    place.kind = static_cast<std::uint64_t>(event.kind);
    place.stack_pointer = event.stack_pointer;
    place.turn.store(writable + 1, std::memory_order_release);
    return number + 1 - header.lives_heard.load(std::memory_order_relaxed) == capacity / 2;
  }
}

bool LifeQueue::hear(LifeEvent& event) {
  LedgerHeader& header = ledger_.header();
  const std::uint64_t capacity = ledger_.life_capacity();
  const std::uint64_t number = header.lives_heard.load(std::memory_order_relaxed);
  if (number == header.lives_told.load(std::memory_order_acquire)) return false;
  RawLife& place = ledger_.life(number % capacity);
  const std::uint64_t whole = 2 * (number / capacity) + 1;
  if (place.turn.load(std::memory_order_acquire) != whole) return false;
  event = {static_cast<LifeEvent::Kind>(place.kind),
           place.thread,
           place.other,
           place.moment,
           place.handle,
           place.stack_pointer};
  place.turn.store(whole + 1, std::memory_order_release);
  header.lives_heard.store(number + 1, std::memory_order_release);
  return true;
}

}  // namespace impasse
