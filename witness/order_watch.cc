#include "witness/order_watch.h"

#include <sys/mman.h>

#include <algorithm>
#include <ctime>

#include "detector/life_queue.h"
#include "symbolize/arena.h"
#include "witness/call_place.h"

namespace impasse::witness {
namespace {

// Of the time that passes, and at most so much at once.
constexpr std::int64_t kShare = 25;
constexpr std::int64_t kMostCreditNs = 200'000'000;
// ... less what our own thread did besides, up to this: looking over 10,000 threads is a hundredth.
constexpr std::int64_t kShareOfOthers = 100;
// A deadlock must not be told late because there is much to hear.
constexpr std::int64_t kMostATurnNs = 20'000'000;
// Without what walks stacks there is nothing to show; it may never come.
constexpr std::uint64_t kPatienceNs = 3'000'000'000;
// ... and the end of a process is not kept waiting for it.
constexpr unsigned kPatienceAtEndMs = 300;
constexpr std::size_t kLocksATurn = 4'096;
constexpr std::size_t kFewStacks = 16'384;  // nodes
constexpr std::uint64_t kTrimEveryNs = 2'000'000'000;
// Nothing new for so long, and a program rests. Less than a watchdog's rarest turns are apart.
constexpr std::uint64_t kQuietNs = 150'000'000;

std::uint64_t monotonic_now() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
         static_cast<std::uint64_t>(now.tv_nsec);
}

// The pages of a file in memory go only with its blocks; anonymous ones refuse that.
void give_pages_back(void* start, std::size_t bytes) {
  if (madvise(start, bytes, MADV_REMOVE) != 0) madvise(start, bytes, MADV_DONTNEED);
}

std::int64_t own_time_ns() {
  timespec time{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return static_cast<std::int64_t>(time.tv_sec) * 1'000'000'000 + time.tv_nsec;
}

}  // namespace

OrderWatch::OrderWatch(Ledger& ledger, Walkers& walkers, const OrderOptions& options)
    : ledger_(ledger),
      walkers_(walkers),
      sights_(ledger),
      orders_(options),
      paths_(ledger),
      owners_(ledger),
      own_time_ns_(own_time_ns()),
      credit_ns_(kMostCreditNs),
      stacks_worth_shedding_(kFewStacks) {
  sights_.prepare();
}

bool OrderWatch::lives(ThreadNumber thread, std::uint32_t tid) const {
  const ThreadSlot* const slot = ledger_.find_tid(tid);
  return slot != nullptr && slot->number.load(std::memory_order_relaxed) == thread;
}

bool OrderWatch::ready(std::uint64_t now_ns) {
  if (first_ns_ == 0) first_ns_ = now_ns;
  return walkers_.unwinder.ready() || now_ns - first_ns_ > kPatienceNs;
}

std::vector<OrderCircle> OrderWatch::turn(std::uint64_t now_ns) {
  const std::int64_t begin_ns = own_time_ns();
  const auto passed = static_cast<std::int64_t>(last_ns_ == 0 ? 0 : now_ns - last_ns_);
  last_ns_ = now_ns;
  const std::int64_t for_others = std::min(begin_ns - own_time_ns_, passed / kShareOfOthers);
  credit_ns_ = std::min(credit_ns_ + passed / kShare - for_others, kMostCreditNs);
  // Whatever was drawn before this is in the queues by now, but for who is interrupted right there.
  const std::uint64_t settled = ledger_.header().moments.load(std::memory_order_acquire);
  hear_lives();
  settled_ = settled;
  if (paths_.turn(now_ns)) to_trim_ = true;
  const bool sights = sights_.any();
  heard_ = false;
  if (sights) sights_.expect_more();
  std::vector<OrderCircle> circles;
  if (sights && !ready(now_ns)) return circles;
  if (sights || orders_.waiting() || orders_.graph().nodes() != 0) {
    const std::int64_t allowance = std::min(credit_ns_, kMostATurnNs);
    // Numbers of stacks change here, and nowhere while a circle is on its way.
    if (allowance > 0 && stacks_.nodes() >= stacks_worth_shedding_) shed_stacks();
    if (sights && allowance > 0)
      hear_sights(monotonic_now() + static_cast<std::uint64_t>(allowance));
    circles = orders_.take_circles(settled);
    if (allowance > 0) forget_ended_locks();
  }
  // Asked here: a quiet turn takes no more code into memory than this (standing.ld).
  if (heard_ || to_rest_ || to_trim_ || orders_.graph().compactions() != compactions_)
    give_memory_back(now_ns);
  own_time_ns_ = own_time_ns();
  credit_ns_ -= own_time_ns_ - begin_ns;
  return circles;
}

// The process waits for this: stacks are walked where they are wanted, and that is hardly ever.
std::vector<OrderCircle> OrderWatch::last_turn() {
  hear_lives();
  owners_.look();
  std::vector<const RawSight*> heard;
  sights_.each_left([&](const RawSight& raw) {
    if (std::optional<OrderSight> sight = understood(raw)) {
      heard.push_back(&raw);
      orders_.add(std::move(*sight));
    }
  });
  std::vector<OrderCircle> circles = orders_.take_circles();
  if (!circles.empty()) add_stacks(circles, heard);
  return circles;
}

void OrderWatch::add_stacks(std::vector<OrderCircle>& circles,
                            const std::vector<const RawSight*>& heard) {
  for (unsigned ms = 0; !ready(monotonic_now()) && ms < kPatienceAtEndMs; ++ms) {
    const timespec step{0, 1'000'000};
    nanosleep(&step, nullptr);
  }
  walkers_.space.refresh();
  Stacks walker(ledger_, walkers_.space, walkers_.unwinder);
  for (OrderCircle& circle : circles) {
    for (OrderStep& step : circle.steps) {
      const auto raw = std::find_if(heard.begin(), heard.end(), [&step](const RawSight* one) {
        return one->moment == step.sight.moment;
      });
      if (raw != heard.end()) walk(**raw, step.sight, walker);
    }
  }
}

// What was lost was drawn since the turn before, and by now.
void OrderWatch::hear_lives() {
  LifeQueue queue(ledger_);
  queue.each([this](const LifeEvent& event) {
    orders_.add(event);
    owners_.hear(event);
    paths_.heard(event);
  });
  if (const std::uint64_t lost = queue.lost(); lost != lost_lives_) {
    lost_lives_ = lost;
    orders_.lives_lost(settled_, ledger_.header().moments.load(std::memory_order_acquire));
  }
}

void OrderWatch::hear_sights(std::uint64_t deadline_ns) {
  walkers_.space.refresh();
  owners_.look();
  Stacks walker(ledger_, walkers_.space, walkers_.unwinder);
  next_record_ = sights_.each_while(next_record_, [&](const RawSight& raw) {
    if (monotonic_now() >= deadline_ns) return false;
    hear(raw, walker);
    return true;
  });
}

// Nothing: one of its locks may have been mistaken for another.
std::optional<OrderSight> OrderWatch::understood(const RawSight& raw) {
  OrderSight sight = sight_of(raw, sights_.rest_of(raw));
  if (owners_.sure(sight)) return sight;
  hear_lives();  // a thread that began a moment ago may have told of that since
  if (owners_.sure(sight)) return sight;
  ledger_.count(k_orders_in_frames);
  return std::nullopt;
}

void OrderWatch::hear(const RawSight& raw, Stacks& walker) {
  heard_ = true;
  std::optional<OrderSight> sight = understood(raw);
  paths_.told(raw.path, raw.thread, lives(raw.thread, raw.tid));
  if (!sight) return;
  walk(raw, *sight, walker);
  orders_.add(std::move(*sight));
}

void OrderWatch::walk(const RawSight& raw, OrderSight& sight, Stacks& walker) {
  const auto& r = raw.registers;
  const std::span<const std::uint8_t> bytes = impasse::stack_of(raw, sights_.rest_of(raw));
  const symbolize::Stack stack =
      walker.of_copy(symbolize::Registers::from_saved(r[kRip], r[kRsp], r[kRbp], r[kRbx], r[kR12],
                                                      r[kR13], r[kR14], r[kR15]),
                     raw.stack_start, bytes.data(), bytes.size());
  const auto itself = [](std::uint64_t pc) { return pc; };
  sight.wanted.place = call_place(sight.wanted.site, stack, 0, itself);
  for (SightedLock& held : sight.held) {
    held.frame = Stacks::frame_of_call(stack, held.site, held.stack_low).value_or(kNoFrame);
    held.place = call_place(held.site, stack, held.frame, itself);
  }
  sight.stack = stacks_.add(stack);
  if (sight.stack == 0) ledger_.count(k_order_stacks_dropped);
}

void OrderWatch::forget_ended_locks() {
  // Whatever ends a lock puts its record on this list.
  const std::uint64_t ends = ledger_.header().free_lock.load(std::memory_order_acquire);
  if (ends != ends_seen_) to_sweep_ = orders_.graph().places();
  ends_seen_ = ends;
  if (to_sweep_ == 0) return;
  const std::size_t now = std::min(to_sweep_, kLocksATurn);
  to_sweep_ -= now;
  orders_.sweep(
      [this](const LockLife& life) {
        const LockRecord& record = ledger_.lock_record(life.record);
        return record.generation.load(std::memory_order_acquire) == life.generation;
      },
      now);
}

// The stacks of sights that were not kept, or are kept no more.
void OrderWatch::shed_stacks() {
  std::vector<std::uint32_t*> kept;
  orders_.for_each_kept_sight([&](OrderSight& sight) { kept.push_back(&sight.stack); });
  stacks_.keep_only(kept);
  // The fuller it stays, the more seldom; it must not be done for every stack that comes.
  stacks_worth_shedding_ = std::max(kFewStacks, stacks_.nodes() * 2);
  if (!stacks_.may_hold(stacks_worth_shedding_))
    stacks_worth_shedding_ = stacks_.nodes() + stacks_.room() / 2 + 1;
  to_trim_ = true;
}

void OrderWatch::give_memory_back(std::uint64_t now_ns) {
  const std::uint64_t compactions = orders_.graph().compactions();
  if (compactions != compactions_) to_trim_ = true;
  compactions_ = compactions;
  rest(now_ns);
  if (!to_trim_ || now_ns - trimmed_ns_ < kTrimEveryNs) return;
  to_trim_ = false;
  trimmed_ns_ = now_ns;
  symbolize::OwnArena::trim();
}

// Once after the beginning, and after each time that something was heard.
void OrderWatch::rest(std::uint64_t now_ns) {
  if (heard_) ever_heard_ = heard_since_ = to_rest_ = true;
  if (heard_ || heard_ns_ == 0) heard_ns_ = now_ns;
  if (!to_rest_ || now_ns - heard_ns_ < kQuietNs) return;
  if (heard_since_) {
    walkers_.space.rest();
    orders_.rest();
    to_trim_ = true;
  }
  heard_since_ = false;
  const std::uint64_t kept = ever_heard_ ? sights_.kept_ready() : 0;
  while (sights_.give_back(kept, give_pages_back)) continue;
  // A thread that was just telling leaves it to a later turn.
  to_rest_ = ledger_.header().sights_used.load(std::memory_order_relaxed) > kept;
}

}  // namespace impasse::witness
