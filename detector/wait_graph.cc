#include "detector/wait_graph.h"

#include <algorithm>

namespace impasse {
namespace {

// A lock asked for a moment ago is being taken, not waited for.
constexpr std::uint64_t kLeastTicks = 1;

LockKind kind_of(WaitKind kind) {
  switch (kind) {
    case WaitKind::kRead:
    case WaitKind::kWrite:
      return LockKind::kRwlock;
    case WaitKind::kSpin:
      return LockKind::kSpin;
    default:
      return LockKind::kMutex;
  }
}

}  // namespace

const Blocker* main_blocker(const Obstacle& obstacle) {
  const Blocker* best = nullptr;
  for (const Blocker& blocker : obstacle.blockers) {
    if (blocker.thread == kNoOne && best != nullptr) continue;
    if (best == nullptr || best->thread == kNoOne ||
        (blocker.since_tick != 0 && blocker.since_tick < best->since_tick)) {
      best = &blocker;
    }
  }
  return best;
}

WaitGraph::WaitGraph(const Snapshot& snapshot, LockProbe probe)
    : snapshot_(snapshot),
      holders_(snapshot),
      waits_(snapshot.threads.size()),
      before_(snapshot.threads.size(), kNoOne),
      behind_(snapshot.threads.size()) {
  for (std::uint32_t i = 0; i < snapshot.threads.size(); ++i) {
    const ThreadFact& thread = snapshot.threads[i];
    if (thread.life == ThreadLife::kStarting) continue;
    by_tid_.emplace(thread.tid, i);
    by_handle_.emplace(thread.thread, i);
  }
  for (std::uint32_t i = 0; i < snapshot.threads.size(); ++i) {
    const ThreadFact& thread = snapshot.threads[i];
    if (thread.life == ThreadLife::kStarting) continue;
    waits_[i] = current_wait(thread, snapshot.tick, kLeastTicks);
    if (!waits_[i] || (!waits_[i]->for_lock() && waits_[i]->kind != WaitKind::kJoin)) continue;
    before_[i] = obstacle_for(*waits_[i]);
    obstacles_[before_[i]].waiters.push_back(i);
  }
  for (Obstacle& obstacle : obstacles_) find_blockers(obstacle, probe);
  for (std::uint32_t o = 0; o < obstacles_.size(); ++o) {
    for (const Blocker& blocker : obstacles_[o].blockers) {
      if (blocker.thread != kNoOne) behind_[blocker.thread].push_back(o);
    }
  }
}

const Obstacle* WaitGraph::before(std::uint32_t thread) const {
  return before_[thread] == kNoOne ? nullptr : &obstacles_[before_[thread]];
}

std::uint64_t WaitGraph::waited_ns(std::uint32_t thread) const {
  const auto& wait = waits_[thread];
  if (!wait || wait->tick == 0 || wait->tick > snapshot_.tick) return 0;
  return (snapshot_.tick - wait->tick) * snapshot_.tick_ns;
}

std::uint32_t WaitGraph::obstacle_for(const CurrentWait& wait) {
  const unsigned mode = wait.kind == WaitKind::kJoin ? 2 : wait.kind == WaitKind::kRead ? 1 : 0;
  const auto next = static_cast<std::uint32_t>(obstacles_.size());
  const auto [place, is_new] = index_.emplace(Key{wait.object, mode}, next);
  if (is_new) {
    Obstacle& obstacle = obstacles_.emplace_back();
    obstacle.lock = mode == 2 ? 0 : wait.object;
    obstacle.reading = mode == 1;
    kinds_.push_back(kind_of(wait.kind));
    if (mode == 2) {
      const auto awaited = by_handle_.find(wait.object);
      Blocker blocker;
      blocker.reason = LinkReason::kJoin;
      if (awaited != by_handle_.end()) blocker.thread = awaited->second;
      obstacle.blockers.push_back(blocker);
    }
  }
  return place->second;
}

void WaitGraph::find_blockers(Obstacle& obstacle, LockProbe probe) {
  if (obstacle.lock == 0) return;  // a join: its thread was found with it
  const LockKind kind = kinds_[static_cast<std::size_t>(&obstacle - obstacles_.data())];
  obstacle.state = probe(obstacle.lock, kind);
  if (!obstacle.state.readable || kind == LockKind::kSpin) {
    block_by_holds(obstacle, !obstacle.reading);
    block_by_departures(obstacle, false);
    return;
  }
  if (obstacle.state.owner != 0) {
    block_by_owner(obstacle, kind);
    return;
  }
  if (kind != LockKind::kRwlock) return;  // free at this moment
  if (obstacle.reading) {
    if (obstacle.state.prefers_writers) block_by_waiting_writers(obstacle);
  } else if (obstacle.state.readers != 0) {
    block_by_holds(obstacle, true);
    block_by_departures(obstacle, false);
    if (obstacle.blockers.size() < obstacle.state.readers) obstacle.blockers.emplace_back();
  }
}

// libc's own word names the holder; the ledger adds since when and from where.
void WaitGraph::block_by_owner(Obstacle& obstacle, LockKind kind) {
  const auto owner = by_tid_.find(obstacle.state.owner);
  if (owner == by_tid_.end() || obstacle.state.between_processes) {
    // A thread of another process, or one that is gone; after a fork, what libc wrote down is the
    // parent's number of the thread that goes on here.
    block_by_departures(obstacle, true);
    if (obstacle.blockers.empty() && !obstacle.state.between_processes) {
      block_by_holds(obstacle, false);
    }
    if (obstacle.blockers.empty()) {
      obstacle.blockers.emplace_back();
      if (owner != by_tid_.end()) obstacle.blockers.back().thread = owner->second;
    }
    return;
  }
  Blocker blocker;
  blocker.thread = owner->second;
  for (const HoldFact& hold : snapshot_.threads[blocker.thread].holds) {
    if (hold.lock != obstacle.lock || hold.kind != kind) continue;
    blocker.since_tick = hold.tick;
    blocker.site = hold.site;
    break;
  }
  obstacle.blockers.push_back(blocker);
}

void WaitGraph::block_by_holds(Obstacle& obstacle, bool shared_too) {
  for (const HolderIndex::Holder& holder : holders_.of(obstacle.lock)) {
    const HoldFact& hold = snapshot_.threads[holder.thread].holds[holder.hold];
    if (hold.shared && !shared_too) continue;
    // libc says that nobody writes: what the ledger knows otherwise is old.
    if (!hold.shared && obstacle.state.readable && obstacle.state.owner == 0 &&
        hold.kind == LockKind::kRwlock) {
      continue;
    }
    obstacle.blockers.push_back({holder.thread, kNoOne, LinkReason::kHolder, hold.tick, hold.site});
  }
}

void WaitGraph::block_by_departures(Obstacle& obstacle, bool owner_only) {
  for (std::uint32_t i = 0; i < snapshot_.departures.size(); ++i) {
    const DepartureFact& gone = snapshot_.departures[i];
    if (gone.hold.lock != obstacle.lock) continue;
    if (owner_only && gone.tid != obstacle.state.owner) continue;
    if (obstacle.reading && gone.hold.shared) continue;
    obstacle.blockers.push_back({kNoOne, i, LinkReason::kGone, gone.hold.tick, gone.hold.site});
  }
}

void WaitGraph::block_by_waiting_writers(Obstacle& obstacle) {
  for (std::uint32_t i = 0; i < waits_.size(); ++i) {
    if (!waits_[i] || waits_[i]->kind != WaitKind::kWrite || waits_[i]->object != obstacle.lock ||
        waits_[i]->timed) {
      continue;
    }
    obstacle.blockers.push_back({i, kNoOne, LinkReason::kWaitingWriter,
                                 static_cast<std::uint32_t>(waits_[i]->tick), waits_[i]->site});
  }
}

}  // namespace impasse
