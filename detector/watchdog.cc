#include "detector/watchdog.h"

#include <algorithm>
#include <cstring>

#include "detector/departures.h"
#include "detector/incidents.h"
#include "detector/own_ledger.h"
#include "detector/wait_scan.h"

namespace impasse {
namespace {

// At most 20 turns a second; fewer when nobody has waited for long.
constexpr std::uint64_t kPauseNs = 50'000'000;
constexpr std::uint64_t kIdlePauseNs = 100'000'000;
constexpr std::uint64_t kIdleAfterNs = 10'000'000'000;
constexpr std::uint64_t kShortPauseNs = 20'000'000;
// Waits that are old news are looked at so often ...
constexpr std::uint64_t kLookEveryNs = 500'000'000;
// ... and looking takes no more than this part of the time.
constexpr std::uint64_t kLeastRestPerLook = 20;
constexpr std::uint64_t kReapEveryNs = 5'000'000'000;
constexpr std::uint64_t kSlotsATurn = 1'024;
constexpr std::uint64_t kNamesEveryTurns = 4;

bool is_live(const ThreadSlot& slot) {
  return slot.life.load(std::memory_order_acquire) == static_cast<std::uint32_t>(ThreadLife::kLive);
}

}  // namespace

std::uint64_t Watchdog::pause_ns() const {
  if (!soon_) return turned_ns_ - last_wait_ns_ > kIdleAfterNs ? kIdlePauseNs : kPauseNs;
  return std::clamp(kLeastRestPerLook * look_cost_ns_, kShortPauseNs, kPauseNs);
}

void Watchdog::turn(std::uint64_t now_ns, std::uint64_t intended_ns) {
  turned_ns_ = now_ns;
  if (last_wait_ns_ == 0) last_wait_ns_ = now_ns;  // a process begins with haste
  clock_.advance(now_ns, intended_ns);
  published_tick.value.store(static_cast<std::uint32_t>(clock_.units()), std::memory_order_relaxed);
  ledger_.header().tick.store(clock_.units(), std::memory_order_relaxed);
  ledger_.header().now_ns.store(now_ns, std::memory_order_release);
  if (turns_++ % kNamesEveryTurns == 0) learn_names();
  if (now_ns >= next_reap_ns_) {
    next_reap_ns_ = now_ns + kReapEveryNs;
    reap(now_ns);
  }
  collect_incidents();
  look_for_trouble(now_ns);
}

void Watchdog::collect_incidents() {
  Incidents incidents(ledger_);
  if (sink_ == nullptr || !incidents.any()) return;
  incidents.each([this](const Incident& incident) { sink_->tell(incident); });
}

void Watchdog::look_for_trouble(std::uint64_t now_ns) {
  soon_ = false;
  if (sink_ == nullptr) return;
  const WaitScan scan = scan_waits(ledger_, clock_.units());
  if (scan.waits != 0) last_wait_ns_ = now_ns;
  const bool pressing = scan.young != 0 || findings_.wants_second_look();
  soon_ = scan.waits != 0 && pressing;
  const std::uint64_t rest = pressing ? 0 : kLookEveryNs;
  const bool departed = ledger_.header().departures_used.load(std::memory_order_relaxed) != 0;
  if ((scan.waits == 0 && !departed) ||
      now_ns < last_look_ns_ + std::max(rest, kLeastRestPerLook * look_cost_ns_)) {
    return;
  }
  last_look_ns_ = now_ns;

  const std::uint64_t begin_ns = probe_.monotonic_ns();
  const LedgerReading reading = read_own_ledger(ledger_);
  if (!reading.problem.empty()) return;
  const auto tellings = findings_.look(reading.snapshot, probe_.lock);
  look_cost_ns_ = probe_.monotonic_ns() - begin_ns;
  soon_ = scan.young != 0 || findings_.wants_second_look();
  sink_->suspect(findings_.suspects());
  for (const Telling& telling : tellings) {
    if (!sink_->tell(telling, reading.snapshot)) findings_.not_told(telling.finding);
  }
}

// A name once, soon after the thread began; later changes arrive through the setname call.
void Watchdog::learn_names() {
  const std::uint64_t used = ledger_.slots_used();
  for (std::uint64_t n = std::min(used, kSlotsATurn); n > 0; --n) {
    if (next_slot_ >= used) next_slot_ = 0;
    ThreadSlot& slot = ledger_.slot(next_slot_++);
    if (!is_live(slot) || slot.name_known.load(std::memory_order_relaxed) != 0) continue;
    char text[kNameBytes] = {};
    if (!probe_.name(slot.tid.load(std::memory_order_relaxed), text)) continue;
    std::uint32_t unknown = 0;  // the thread's own setname call goes first
    if (!slot.name_known.compare_exchange_strong(unknown, 1, std::memory_order_relaxed)) continue;
    std::uint64_t words[kNameBytes / 8];
    std::memcpy(words, text, sizeof words);
    for (unsigned i = 0; i < kNameBytes / 8; ++i)
      slot.name[i].store(words[i], std::memory_order_relaxed);
  }
}

// Slots of threads that ended without our noticing (killed by a raw exit system call).
void Watchdog::reap(std::uint64_t now_ns) {
  const std::uint64_t used = ledger_.slots_used();
  for (std::uint64_t i = 0; i < used; ++i) {
    ThreadSlot& slot = ledger_.slot(i);
    const std::uint32_t tid = slot.tid.load(std::memory_order_relaxed);
    if (!is_live(slot) || tid == 0 || probe_.alive(tid)) continue;
    if (slot.tid.load(std::memory_order_acquire) != tid || !is_live(slot)) continue;
    leave_holds_behind(slot, ledger_, now_ns);
    ledger_.leave_tid(tid);
    ledger_.release_slot(slot);
  }
}

}  // namespace impasse
