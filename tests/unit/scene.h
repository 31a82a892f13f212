// Snapshots made by hand: threads that hold and wait, and locks that say who has them.
#pragma once

#include <algorithm>
#include <map>
#include <utility>

#include "detector/findings.h"
#include "detector/snapshot.h"

namespace impasse::test {

inline constexpr std::uint64_t kNowTick = 10'000;

class Scene {
 public:
  Scene() {
    snapshot.tick = kNowTick;
    snapshot.tick_ns = 10'000'000;
    snapshot.now_ns = kNowTick * snapshot.tick_ns;
    probed = &locks;
    looked_at = &sleeps;
  }

  // Its index; its tid is 100 more.
  std::uint32_t thread() {
    ThreadFact fact;
    fact.slot = snapshot.threads.size();
    fact.tid = static_cast<std::uint32_t>(100 + fact.slot);
    fact.thread = 0x7000 + fact.slot;
    fact.state = 0x10000 * (fact.slot + 1);
    snapshot.threads.push_back(fact);
    return static_cast<std::uint32_t>(fact.slot);
  }
  std::uint32_t tid(std::uint32_t thread) const { return snapshot.threads[thread].tid; }

  HoldFact& holds(std::uint32_t thread, std::uint64_t lock, LockKind kind = LockKind::kMutex,
                  bool shared = false) {
    HoldFact hold;
    hold.lock = lock;
    hold.kind = kind;
    hold.shared = shared;
    hold.site = 0x1000 + lock;
    hold.tick = static_cast<std::uint32_t>(kNowTick - 9'500);  // before any wait
    snapshot.threads[thread].holds.push_back(hold);
    LockState& state = locks[lock];
    state.readable = true;
    if (kind == LockKind::kSpin) {
      state.readable = false;
    } else if (shared) {
      ++state.readers;
    } else {
      state.owner = tid(thread);
    }
    return snapshot.threads[thread].holds.back();
  }
  void reads(std::uint32_t thread, std::uint64_t lock) {
    holds(thread, lock, LockKind::kRwlock, true);
  }
  void writes(std::uint32_t thread, std::uint64_t lock) { holds(thread, lock, LockKind::kRwlock); }

  WaitFact& waits(std::uint32_t thread, WaitKind kind, std::uint64_t object,
                  std::uint64_t ticks = 10) {
    WaitFact wait;
    wait.kind = kind;
    wait.object = object;
    wait.site = 0x2000 + object;
    wait.tick = kNowTick - ticks;
    wait.since_ns = snapshot.now_ns - ticks * snapshot.tick_ns;
    wait.sequence = 2 * ++sequence_ + 1;
    snapshot.threads[thread].wait = wait;
    if (kind != WaitKind::kJoin) locks[object].readable = kind != WaitKind::kSpin;
    return *snapshot.threads[thread].wait;
  }
  WaitFact& wants(std::uint32_t thread, std::uint64_t mutex, std::uint64_t ticks = 10) {
    return waits(thread, WaitKind::kMutex, mutex, ticks);
  }
  // Only the intent is there: readers leave no more.
  void wants_to_read(std::uint32_t thread, std::uint64_t lock, std::uint64_t ticks = 10) {
    HoldFact intent;
    intent.lock = lock;
    intent.kind = LockKind::kRwlock;
    intent.shared = true;
    intent.phase = hold_phase::kAcquiring;
    intent.site = 0x2000 + lock;
    intent.tick = static_cast<std::uint32_t>(kNowTick - ticks);
    snapshot.threads[thread].holds.push_back(intent);
    locks[lock].readable = true;
  }
  void joins(std::uint32_t thread, std::uint32_t other, std::uint64_t ticks = 10) {
    waits(thread, WaitKind::kJoin, snapshot.threads[other].thread, ticks);
  }
  void left(std::uint64_t lock, LockKind kind, std::uint32_t tid,
            DepartureReason reason = DepartureReason::kThreadEnded) {
    DepartureFact gone;
    gone.hold.lock = lock;
    gone.hold.kind = kind;
    gone.hold.site = 0x3000 + lock;
    gone.tid = tid;
    gone.reason = reason;
    snapshot.departures.push_back(gone);
    locks[lock].readable = true;
    if (kind != LockKind::kSpin) locks[lock].owner = tid;
  }

  std::vector<Verdict> judged(std::uint64_t wait_ns = 10'000'000'000) const {
    return judge(snapshot, WaitGraph(snapshot, probe, sleep), {wait_ns});
  }

  static LockState probe(std::uint64_t lock, LockKind) {
    const auto found = probed->find(lock);
    return found == probed->end() ? LockState{} : found->second;
  }

  // As /proc would say; kUnknown for whom nobody has said anything.
  static Sleep sleep(std::uint32_t tid, WaitKind, std::uint64_t object) {
    const auto found = looked_at->find({tid, object});
    return found == looked_at->end() ? Sleep::kUnknown : found->second;
  }
  void sleeps_at(std::uint32_t thread, std::uint64_t object, Sleep how = Sleep::kThere) {
    sleeps[{tid(thread), object}] = how;
  }

  using Sleeps = std::map<std::pair<std::uint32_t, std::uint64_t>, Sleep>;
  Snapshot snapshot;
  std::map<std::uint64_t, LockState> locks;
  Sleeps sleeps;

 private:
  static inline std::map<std::uint64_t, LockState>* probed = nullptr;
  static inline Sleeps* looked_at = nullptr;
  std::uint64_t sequence_ = 0;
};

// Who waits, by numbers: in no order, whatever order the links have.
inline std::vector<std::uint32_t> waiters(const std::vector<VerdictLink>& links) {
  std::vector<std::uint32_t> threads;
  for (const VerdictLink& link : links) threads.push_back(link.waiter);
  std::sort(threads.begin(), threads.end());
  return threads;
}

}  // namespace impasse::test
