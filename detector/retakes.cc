#include "detector/retakes.h"

#include <algorithm>
#include <unordered_set>

namespace impasse {
namespace {

bool asks_for_a_lock(const ThreadFact& thread) {
  return std::any_of(thread.holds.begin(), thread.holds.end(),
                     [](const HoldFact& hold) { return hold.phase == hold_phase::kAcquiring; });
}

// One that asks for a lock as well does so in a signal handler, and is no longer at its wait.
bool waits_on_condition(const ThreadFact& thread) {
  return thread.life != ThreadLife::kStarting && thread.wait &&
         thread.wait->kind == WaitKind::kCondition && thread.wait->partner != 0 &&
         !asks_for_a_lock(thread);
}

void make_it_a_wait_for_the_mutex(WaitFact& wait, std::uint64_t tick) {
  wait.kind = WaitKind::kMutex;
  wait.object = wait.partner;
  wait.partner = 0;
  wait.timed = false;
  wait.since_ns = 0;
  wait.tick = tick;
}

// What the ledger says of the mutexes of those who wait on conditions, and of what others want.
class Surroundings {
 public:
  Surroundings(const Snapshot& snapshot, const std::vector<std::uint32_t>& candidates) {
    std::unordered_set<std::uint64_t> mutexes;
    for (const std::uint32_t i : candidates) mutexes.insert(snapshot.threads[i].wait->partner);
    for (const ThreadFact& thread : snapshot.threads) {
      const bool waits = thread.wait || asks_for_a_lock(thread);
      if (thread.wait) wanted_.insert(thread.wait->object);
      for (const HoldFact& hold : thread.holds) {
        if (hold.phase == hold_phase::kAcquiring) wanted_.insert(hold.lock);
        if (hold.phase != hold_phase::kHeld || !mutexes.contains(hold.lock)) continue;
        held_.insert(hold.lock);
        if (waits) held_by_one_who_waits_.insert(hold.lock);
      }
    }
  }

  // Others want a lock that it holds, or wait for its end.
  bool is_in_the_way(const ThreadFact& thread) const {
    if (!held_.contains(thread.wait->partner)) return false;
    return wanted_.contains(thread.thread) ||
           std::any_of(thread.holds.begin(), thread.holds.end(), [this](const HoldFact& hold) {
             return hold.phase == hold_phase::kHeld && wanted_.contains(hold.lock);
           });
  }
  bool may_be_stuck(const ThreadFact& thread) const {
    return held_by_one_who_waits_.contains(thread.wait->partner);
  }

 private:
  std::unordered_set<std::uint64_t> wanted_;
  std::unordered_set<std::uint64_t> held_;
  std::unordered_set<std::uint64_t> held_by_one_who_waits_;
};

}  // namespace

// Those that have been seen at their mutex before are taken along.
std::vector<std::uint32_t> Retakes::unknown_ones(Snapshot& snapshot) {
  ++looks_;
  std::vector<std::uint32_t> unknown;
  for (std::uint32_t i = 0; i < snapshot.threads.size(); ++i) {
    ThreadFact& thread = snapshot.threads[i];
    if (!waits_on_condition(thread)) continue;
    const auto sight = sights_.find(thread.slot);
    if (sight == sights_.end() || sight->second.sequence != thread.wait->sequence) {
      unknown.push_back(i);
      continue;
    }
    sight->second.looked_at = looks_;
    make_it_a_wait_for_the_mutex(*thread.wait, sight->second.tick);
  }
  std::erase_if(sights_, [this](const auto& one) { return one.second.looked_at != looks_; });
  return unknown;
}

void Retakes::look(Snapshot& snapshot, SleepProbe sleep) {
  if (sleep == nullptr) return;
  std::vector<std::uint32_t> candidates = unknown_ones(snapshot);
  if (candidates.empty()) return;
  const Surroundings around(snapshot, candidates);
  std::erase_if(candidates, [&](std::uint32_t i) {
    const ThreadFact& thread = snapshot.threads[i];
    return !around.is_in_the_way(thread) && !around.may_be_stuck(thread);
  });
  if (candidates.size() > kMostLookedAt) {
    // Only those in the way can be part of a circle; of the others each has its turn.
    first_ = (first_ + kMostLookedAt) % candidates.size();
    std::rotate(candidates.begin(), candidates.begin() + static_cast<std::ptrdiff_t>(first_),
                candidates.end());
    std::stable_partition(candidates.begin(), candidates.end(), [&](std::uint32_t i) {
      return around.is_in_the_way(snapshot.threads[i]);
    });
    candidates.resize(kMostLookedAt);
  }
  for (const std::uint32_t i : candidates) {
    ThreadFact& thread = snapshot.threads[i];
    if (sleep(thread.tid, WaitKind::kMutex, thread.wait->partner) != Sleep::kThere) continue;
    const std::uint64_t tick = std::max<std::uint64_t>(snapshot.tick, 1);
    sights_[thread.slot] = {thread.wait->sequence, tick, looks_};
    make_it_a_wait_for_the_mutex(*thread.wait, tick);
  }
}

}  // namespace impasse
