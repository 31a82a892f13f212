#include "witness/order_watch.h"

#include <algorithm>
#include <cstring>
#include <ctime>

#include "detector/life_queue.h"
#include "detector/sight_queue.h"

namespace impasse::witness {
namespace {

// Of the time that passes, and at most so much at once.
constexpr std::uint64_t kShare = 20;
constexpr std::uint64_t kMostCreditNs = 1'000'000'000;
// A deadlock must not be told late because there is much to hear.
constexpr std::uint64_t kMostATurnNs = 20'000'000;
// The process waits for this one.
constexpr std::uint64_t kLastTurnNs = 500'000'000;
// Without what walks stacks there is nothing to show; it may never come.
constexpr std::uint64_t kPatienceNs = 300'000'000;
constexpr std::size_t kLocksATurn = 4'096;
constexpr std::size_t kMostNames = 65'536;
constexpr std::size_t kMostPaths = 1'000'000;
// A program with a thread for each request tells everything anew all the time, if it is let.
constexpr std::uint64_t kRenewalsASecond = 100;

std::uint64_t monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// Empty: nobody has learned it yet.
std::string known_name(const ThreadSlot& slot) {
  if (slot.name_known.load(std::memory_order_relaxed) == 0) return {};
  std::uint64_t words[kNameBytes / 8];
  for (unsigned i = 0; i < kNameBytes / 8; ++i)
    words[i] = slot.name[i].load(std::memory_order_relaxed);
  char text[kNameBytes + 1] = {};
  std::memcpy(text, words, kNameBytes);
  return text;
}

}  // namespace

OrderWatch::OrderWatch(Ledger& ledger, Walkers& walkers, const OrderOptions& options)
    : ledger_(ledger), walkers_(walkers), orders_(options), credit_ns_(kMostCreditNs) {}

std::string OrderWatch::name_of(const OrderSight& sight) const {
  const auto known = names_.find(sight.thread);
  return known == names_.end() ? std::string() : known->second;
}

bool OrderWatch::lives(const OrderSight& sight) const {
  const ThreadSlot* const slot = ledger_.find_tid(sight.tid);
  return slot != nullptr && slot->number.load(std::memory_order_relaxed) == sight.thread;
}

bool OrderWatch::ready(std::uint64_t now_ns) {
  if (first_ns_ == 0) first_ns_ = now_ns;
  return walkers_.unwinder.ready() || now_ns - first_ns_ > kPatienceNs;
}

std::vector<OrderCircle> OrderWatch::turn(std::uint64_t now_ns, bool last) {
  const std::uint64_t passed = last_ns_ == 0 ? 0 : now_ns - last_ns_;
  last_ns_ = now_ns;
  credit_ns_ = std::min(credit_ns_ + passed / kShare, kMostCreditNs);
  renewals_ = std::min(renewals_ + passed * kRenewalsASecond / 1'000'000'000 + 1, kRenewalsASecond);
  // Whatever was drawn before this is in the queues by now, but for who is interrupted right there.
  const std::uint64_t settled = ledger_.header().moments.load(std::memory_order_acquire);
  hear_lives();
  settled_ = settled;
  behind_ = false;
  const bool sights = SightQueue(ledger_).any();
  if (sights && !ready(now_ns)) return {};
  if (!sights && orders_.graph().nodes() == 0) return {};
  const std::uint64_t begin_ns = monotonic_now();
  const std::uint64_t allowance = last ? kLastTurnNs : std::min(credit_ns_, kMostATurnNs);
  if (sights) hear_sights(begin_ns + allowance);
  std::vector<OrderCircle> circles = orders_.take_circles(settled);
  forget_ended_locks();
  credit_ns_ -= std::min(credit_ns_, monotonic_now() - begin_ns);
  return circles;
}

// What was lost was drawn since the turn before, and by now.
void OrderWatch::hear_lives() {
  LifeQueue queue(ledger_);
  queue.each([this](const LifeEvent& event) {
    orders_.add(event);
    if (event.kind == LifeEvent::Kind::kEnded) let_others_tell(event.thread);
  });
  if (const std::uint64_t lost = queue.lost(); lost != lost_lives_) {
    lost_lives_ = lost;
    orders_.lives_lost(settled_, ledger_.header().moments.load(std::memory_order_acquire));
  }
}

void OrderWatch::hear_sights(std::uint64_t deadline_ns) {
  walkers_.space.refresh();
  Stacks walker(ledger_, walkers_.space, walkers_.unwinder);
  SightQueue queue(ledger_);
  next_record_ = queue.each_while(next_record_, [&](const RawSight& raw) {
    if (monotonic_now() >= deadline_ns) {
      behind_ = true;
      return false;
    }
    hear(raw, walker);
    return true;
  });
}

void OrderWatch::hear(const RawSight& raw, Stacks& walker) {
  OrderSight sight = sight_of(raw);
  const auto& r = raw.registers;
  const std::span<const std::uint8_t> bytes = impasse::stack_of(raw);
  const symbolize::Stack stack =
      walker.of_copy(symbolize::Registers::from_saved(r[kRip], r[kRsp], r[kRbp], r[kRbx], r[kR12],
                                                      r[kR13], r[kR14], r[kR15]),
                     raw.stack_start, bytes.data(), bytes.size());
  for (SightedLock& held : sight.held) {
    held.frame = Stacks::frame_of_call(stack, held.site, held.stack_low).value_or(kNoFrame);
  }
  sight.stack = stacks_.add(stack);
  if (sight.stack == 0) ++without_stack_;
  learn_name(sight.thread, sight.tid);
  if (told_paths_ < kMostPaths) {
    told_[sight.thread].push_back(raw.path);
    ++told_paths_;
  }
  orders_.add(std::move(sight));
}

void OrderWatch::learn_name(ThreadNumber thread, std::uint32_t tid) {
  const auto known = names_.find(thread);
  if (known != names_.end() && !known->second.empty()) return;
  if (names_.size() >= kMostNames) names_.clear();
  const ThreadSlot* const slot = ledger_.find_tid(tid);
  if (slot == nullptr || slot->number.load(std::memory_order_relaxed) != thread) return;
  names_[thread] = known_name(*slot);
}

// Of an order that was seen of ended threads alone nobody can tell whether it could meet another.
void OrderWatch::let_others_tell(ThreadNumber ended) {
  const auto paths = told_.find(ended);
  if (paths == told_.end()) return;
  for (const std::uint64_t path : paths->second) {
    if (renewals_ == 0) break;
    if (ledger_.known_orders().erase(path, ended)) --renewals_;
  }
  told_paths_ -= paths->second.size();
  told_.erase(paths);
}

void OrderWatch::forget_ended_locks() {
  orders_.sweep(
      [this](const LockLife& life) {
        const LockRecord& record = ledger_.lock_record(life.record);
        return record.generation.load(std::memory_order_acquire) == life.generation;
      },
      kLocksATurn);
}

}  // namespace impasse::witness
