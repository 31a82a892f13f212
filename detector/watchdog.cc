#include "detector/watchdog.h"

#include <algorithm>
#include <cstring>
#include <unordered_map>
#include <utility>
#include <vector>

#include "detector/departures.h"
#include "detector/incidents.h"
#include "detector/own_ledger.h"
#include "detector/signal_moment.h"
#include "detector/signal_notes.h"

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
// Those who wait for others are looked at when they are not the same as before, no sooner than
// after this ...
constexpr std::uint64_t kPictureEveryNs = 250'000'000;
// ... and when they are: a thread that was busy with their mutex then may not be now.
constexpr std::uint64_t kSamePictureEveryNs = 2'000'000'000;
constexpr std::uint64_t kLeastRestPerSamePicture = 10'000;
constexpr std::uint64_t kReapEveryNs = 5'000'000'000;
constexpr std::uint64_t kSlotsATurn = 1'024;
constexpr std::uint64_t kNamesEveryTurns = 4;
// So often in a row names are not looked for when no thread has begun.
constexpr unsigned kNamesSkipped = 16;

bool is_live(const ThreadSlot& slot) {
  return slot.life.load(std::memory_order_acquire) == static_cast<std::uint32_t>(ThreadLife::kLive);
}

// Two slots of one number.
bool has_twins(const Snapshot& snapshot) {
  std::vector<std::uint32_t> tids;
  tids.reserve(snapshot.threads.size());
  for (const ThreadFact& thread : snapshot.threads) {
    if (thread.life == ThreadLife::kLive && thread.tid != 0) tids.push_back(thread.tid);
  }
  std::sort(tids.begin(), tids.end());
  return std::adjacent_find(tids.begin(), tids.end()) != tids.end();
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
  renew_signal_moment();
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

// Waits for locks and for threads' ends may close a circle at any moment; groups of those who wait
// to be signalled change with the picture.
bool Watchdog::is_time_to_look(const WaitScan& scan, std::uint64_t now_ns) const {
  const auto rested = [&](std::uint64_t least_ns, std::uint64_t per_look = kLeastRestPerLook) {
    return now_ns >= last_look_ns_ + std::max(least_ns, per_look * look_cost_ns_);
  };
  const bool unconfirmed = findings_.wants_second_look();
  const bool departed = ledger_.header().departures_used.load(std::memory_order_relaxed) != 0;
  if (scan.waits != 0 || departed) {
    // One more has just passed the threshold.
    const bool pressing = scan.young != 0 || unconfirmed || scan.late > late_waits_;
    if (rested(pressing ? 0 : kLookEveryNs)) return true;
  }
  if (!judges_groups_ || scan.for_others == 0) return false;
  if (findings_.has_groups()) return rested(unconfirmed ? 0 : kLookEveryNs);
  if (scan.picture != judged_picture_) return rested(kPictureEveryNs);
  return rested(kSamePictureEveryNs, kLeastRestPerSamePicture);
}

void Watchdog::look_for_trouble(std::uint64_t now_ns) {
  soon_ = false;
  if (sink_ == nullptr) return;
  const WaitScan scan =
      scan_waits(ledger_, clock_.units(), findings_.thresholds().wait_ns / kTickNs);
  if (scan.waits != 0) last_wait_ns_ = now_ns;
  const bool anybody = scan.waits != 0 || (judges_groups_ && scan.for_others != 0);
  soon_ = anybody && (scan.young != 0 || findings_.wants_second_look());
  if (!is_time_to_look(scan, now_ns)) return;
  last_look_ns_ = now_ns;
  judged_picture_ = scan.picture;
  late_waits_ = scan.late;

  const std::uint64_t begin_ns = probe_.monotonic_ns();
  LedgerReading reading;
  if (!read_facts(reading, now_ns)) return;
  retakes_.look(reading.snapshot, probe_.sleep);
  const auto tellings = findings_.look(reading.snapshot, probe_.lock, probe_.sleep, probe_.process);
  look_cost_ns_ = probe_.monotonic_ns() - begin_ns;
  soon_ = scan.young != 0 || findings_.wants_second_look();
  sink_->suspect(findings_.suspects());
  for (const Telling& telling : tellings) {
    if (!sink_->tell(telling, reading.snapshot)) findings_.not_told(telling.finding);
  }
}

bool Watchdog::read_facts(LedgerReading& reading, std::uint64_t now_ns) {
  reading = read_own_ledger(ledger_);
  if (!reading.problem.empty() || !has_twins(reading.snapshot)) return reading.problem.empty();
  reap_twins(now_ns);
  reading = read_own_ledger(ledger_);
  return reading.problem.empty();
}

// A name once, soon after the thread began; later changes arrive through the setname call.
void Watchdog::learn_names() {
  const std::uint64_t used = ledger_.slots_used();
  // Both change when a slot is handed out.
  const std::uint64_t handed_out = ledger_.header().free_slot.load(std::memory_order_acquire);
  const bool same = used == names_used_ && handed_out == names_handed_out_;
  // Now and then nevertheless: the last look may have met a slot that was just being handed out.
  if (names_known_ && same && ++names_skipped_ < kNamesSkipped) return;
  names_skipped_ = 0;
  names_known_ = used <= kSlotsATurn;
  names_used_ = used;
  names_handed_out_ = handed_out;
  for (std::uint64_t n = std::min(used, kSlotsATurn); n > 0; --n) {
    if (next_slot_ >= used) next_slot_ = 0;
    if (!learn_name(ledger_.slot(next_slot_++))) names_known_ = false;
  }
}

// False: it is to be tried again.
bool Watchdog::learn_name(ThreadSlot& slot) {
  const auto life = static_cast<ThreadLife>(slot.life.load(std::memory_order_acquire));
  if (life == ThreadLife::kStarting) return false;
  if (life != ThreadLife::kLive || slot.name_known.load(std::memory_order_relaxed) != 0)
    return true;
  char text[kNameBytes] = {};
  if (!probe_.name(slot.tid.load(std::memory_order_relaxed), text)) return false;
  std::uint32_t unknown = 0;  // the thread's own setname call goes first
  if (!slot.name_known.compare_exchange_strong(unknown, 1, std::memory_order_relaxed)) return true;
  std::uint64_t words[kNameBytes / 8];
  std::memcpy(words, text, sizeof words);
  for (unsigned i = 0; i < kNameBytes / 8; ++i)
    slot.name[i].store(words[i], std::memory_order_relaxed);
  return true;
}

// Slots of threads that ended without our noticing (killed by a raw exit system call).
void Watchdog::reap(std::uint64_t now_ns) {
  const std::uint64_t used = ledger_.slots_used();
  for (std::uint64_t i = 0; i < used; ++i) {
    ThreadSlot& slot = ledger_.slot(i);
    const std::uint32_t tid = slot.tid.load(std::memory_order_relaxed);
    if (!is_live(slot) || tid == 0 || probe_.alive(tid)) continue;
    take_back(slot, tid, now_ns);
  }
  reap_twins(now_ns);
}

// A thread that is alive may have the number of one that ended so: the newer slot is its own.
void Watchdog::reap_twins(std::uint64_t now_ns) {
  std::unordered_map<std::uint32_t, ThreadSlot*> newest;
  const std::uint64_t used = ledger_.slots_used();
  for (std::uint64_t i = 0; i < used; ++i) {
    ThreadSlot* slot = &ledger_.slot(i);
    const std::uint32_t tid = slot->tid.load(std::memory_order_relaxed);
    if (!is_live(*slot) || tid == 0) continue;
    const auto [known, is_new] = newest.emplace(tid, slot);
    if (is_new) continue;
    if (known->second->started_ns.load(std::memory_order_relaxed) <
        slot->started_ns.load(std::memory_order_relaxed)) {
      std::swap(known->second, slot);
    }
    take_back(*slot, tid, now_ns);
    // The number was taken out with the older one's; the newer may have ended meanwhile.
    ledger_.enter_tid(tid, *known->second);
    if (known->second->tid.load(std::memory_order_acquire) != tid) ledger_.leave_tid(tid);
  }
}

void Watchdog::take_back(ThreadSlot& slot, std::uint32_t tid, std::uint64_t now_ns) {
  if (slot.tid.load(std::memory_order_acquire) != tid || !is_live(slot)) return;
  leave_holds_behind(slot, ledger_, now_ns);
  leave_signals_behind(slot, ledger_);
  ledger_.leave_tid(tid);
  ledger_.release_slot(slot);
}

}  // namespace impasse
