#include "witness/known_paths.h"

#include <algorithm>

#include "detector/order_phase.h"

namespace impasse::witness {
namespace {

// In the set there is room for more; it counts threads apart, and so do these.
constexpr std::size_t kMostPaths = 524'288;
// A program with a thread for each request tells everything anew all the time, if it is let.
constexpr std::uint64_t kRenewalsASecond = 100;
constexpr std::uint64_t kPhaseEveryNs = 1'000'000'000;

}  // namespace

void KnownPaths::told(std::uint64_t path, ThreadNumber thread, bool lives) {
  ++paths_;
  if (lives) {
    by_thread_[thread].push_back(path);
  } else {
    of_ended_.push_back({path, thread});
  }
}

void KnownPaths::heard(const LifeEvent& event) {
  if (event.kind == LifeEvent::Kind::kBorn && event.other != 0) in_new_phase_.insert(event.other);
  if (event.kind != LifeEvent::Kind::kEnded) return;
  in_new_phase_.erase(event.thread);
  const auto told = by_thread_.find(event.thread);
  if (told == by_thread_.end()) return;
  for (const std::uint64_t path : told->second) of_ended_.push_back({path, event.thread});
  by_thread_.erase(told);
}

bool KnownPaths::turn(std::uint64_t now_ns) {
  let_others_tell(now_ns);
  begin_phases(now_ns);
  if (paths_ < kMostPaths && !ledger_.known_orders().full()) return false;
  begin_anew();
  return true;
}

void KnownPaths::let_others_tell(std::uint64_t now_ns) {
  const std::uint64_t passed = renewed_ns_ == 0 ? 0 : now_ns - renewed_ns_;
  // Whole ones; what is left over of the time counts the next time.
  const std::uint64_t earned = passed * kRenewalsASecond / 1'000'000'000;
  if (renewed_ns_ == 0 || earned != 0) renewed_ns_ = now_ns;
  renewals_ = std::min(renewals_ + earned, kRenewalsASecond);
  while (renewals_ != 0 && !of_ended_.empty()) {
    const Told& told = of_ended_.front();
    if (ledger_.known_orders().erase(told.path, told.thread)) --renewals_;
    of_ended_.pop_front();
    --paths_;
  }
}

void KnownPaths::begin_phases(std::uint64_t now_ns) {
  if (in_new_phase_.empty() || now_ns - phases_ns_ < kPhaseEveryNs) return;
  phases_ns_ = now_ns;
  const std::uint64_t used = ledger_.slots_used();
  for (std::uint64_t i = 0; i < used; ++i) {
    ThreadSlot& slot = ledger_.slot(i);
    const ThreadNumber thread = slot.number.load(std::memory_order_relaxed);
    if (thread == 0 || !in_new_phase_.contains(thread)) continue;
    if (slot.order_phase.load(std::memory_order_relaxed) >= kOwnPhases) begin_order_phase(slot);
  }
  in_new_phase_.clear();
}

void KnownPaths::begin_anew() {
  if (!ledger_.known_orders().begin_anew()) return;
  decltype(by_thread_)().swap(by_thread_);
  decltype(of_ended_)().swap(of_ended_);
  paths_ = 0;
}

}  // namespace impasse::witness
