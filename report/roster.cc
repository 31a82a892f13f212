#include "report/roster.h"

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include "report/words.h"

namespace impasse::report {
namespace {

// What stands first in a report is what a reader looks for first.
using Rank = std::tuple<int, std::uint64_t, std::uint32_t>;

Rank rank(const ThreadFact& thread, const std::optional<Waiting>& waiting) {
  if (!waiting) return {thread.holds.empty() ? 3 : 2, 0, thread.tid};
  return {waits_for_lock(waiting->kind) ? 0 : 1, ~waiting->age_ns.value_or(0), thread.tid};
}

WaitKind wait_for(const HoldFact& hold) {
  switch (hold.kind) {
    case LockKind::kMutex:
      return WaitKind::kMutex;
    case LockKind::kRwlock:
      return hold.shared ? WaitKind::kRead : WaitKind::kWrite;
    case LockKind::kSpin:
      return WaitKind::kSpin;
    case LockKind::kOnce:
      return WaitKind::kOnce;
    case LockKind::kCondition:
    case LockKind::kSemaphore:
    case LockKind::kBarrier:
      break;  // nobody holds these
  }
  return WaitKind::kNone;
}

}  // namespace

Roster::Roster(const Facts& facts) : facts_(facts), ages_(facts) {
  for (const LiveThread& thread : facts.live) live_.emplace(thread.tid, &thread);
  std::unordered_set<std::uint32_t> listed;
  std::vector<Rank> ranks;
  for (const ThreadFact& thread : facts.snapshot.threads) {
    order_.push_back(order_.size());
    ranks.push_back(rank(thread, waiting(thread)));
    listed.insert(thread.tid);
    if (thread.thread != 0) by_handle_.emplace(thread.thread, &thread);
  }
  std::stable_sort(order_.begin(), order_.end(),
                   [&ranks](std::size_t a, std::size_t b) { return ranks[a] < ranks[b]; });
  for (const LiveThread& thread : facts.live) {
    if (!listed.contains(thread.tid)) unlisted_.push_back(&thread);
  }
}

const LiveThread* Roster::live(std::uint32_t tid) const {
  const auto found = live_.find(tid);
  return found == live_.end() ? nullptr : found->second;
}

const ThreadFact* Roster::by_handle(std::uint64_t pthread) const {
  const auto found = by_handle_.find(pthread);
  return found == by_handle_.end() ? nullptr : found->second;
}

std::string Roster::name(const ThreadFact& thread) const {
  // A live thread may have been renamed without a call that we answer.
  const LiveThread* seen = live(thread.tid);
  return seen == nullptr || seen->name.empty() ? thread.name : seen->name;
}

bool Roster::is_gone(const ThreadFact& thread) const {
  return facts_.alive() && !facts_.live.empty() && thread.life != ThreadLife::kStarting &&
         live(thread.tid) == nullptr;
}

std::optional<Waiting> Roster::waiting(const ThreadFact& thread) const {
  const auto newest =
      std::find_if(thread.holds.rbegin(), thread.holds.rend(),
                   [](const HoldFact& hold) { return hold.phase == hold_phase::kAcquiring; });
  const HoldFact* intent = newest == thread.holds.rend() ? nullptr : &*newest;
  // A signal handler that asks for a lock while its thread waits stands lower on the stack.
  const auto within_wait = [&] {
    const auto low = static_cast<std::uint32_t>(thread.wait->registers[kRsp]);
    return intent != nullptr && intent->lock != thread.wait->object && intent->stack_low < low;
  };
  if (thread.wait && !within_wait()) {
    const WaitFact& w = *thread.wait;
    if (intent != nullptr && intent->lock != w.object) intent = nullptr;
    return Waiting{w.kind, w.object, w.partner, w.site, ages_.since(w.since_ns),
                   true,   w.timed,  w.outer,   intent};
  }
  if (intent == nullptr) return std::nullopt;
  const auto age = ages_.since_tick(intent->tick);
  if (age && *age <= kStampStepNs) return std::nullopt;
  const std::uint64_t outer = thread.wait ? thread.wait->outer + 1 : 0;
  return Waiting{wait_for(*intent), intent->lock, 0,     intent->site, age, false,
                 intent->timed,     outer,        intent};
}

Roster::Signals Roster::signals_of(std::uint64_t object) const {
  Signals found;
  for (const ThreadFact& thread : facts_.snapshot.threads) {
    for (const SignalFact& signal : thread.signals) {
      if (signal.object == object) found.emplace_back(&thread, &signal);
    }
  }
  std::stable_sort(found.begin(), found.end(), [this](const auto& a, const auto& b) {
    constexpr std::uint64_t kNotKnown = ~std::uint64_t{0};
    return ages_.since_tick(a.second->tick).value_or(kNotKnown) <
           ages_.since_tick(b.second->tick).value_or(kNotKnown);
  });
  return found;
}

}  // namespace impasse::report
