#include "detector/wait_graph.h"

#include <algorithm>

namespace impasse {
namespace {

// A lock asked for a moment ago is being taken, not waited for.
constexpr std::uint64_t kLeastTicks = 1;
// Each costs some 10 µs.
constexpr unsigned kMostSleepsLookedAt = 256;

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

WaitGraph::WaitGraph(const Snapshot& snapshot, LockProbe probe, SleepProbe sleep)
    : snapshot_(snapshot),
      sleep_(sleep),
      looks_left_(kMostSleepsLookedAt),
      holders_(snapshot),
      waits_(snapshot.threads.size()),
      before_(snapshot.threads.size(), kNoOne),
      behind_(snapshot.threads.size()),
      looked_at_(snapshot.threads.size(), false) {
  for (std::uint32_t i = 0; i < snapshot.threads.size(); ++i) {
    const ThreadFact& thread = snapshot.threads[i];
    if (thread.life == ThreadLife::kStarting) continue;
    const auto [known, is_new] = by_tid_.emplace(thread.tid, i);
    // The older one has ended unseen.
    if (!is_new && snapshot.threads[known->second].started_ns < thread.started_ns)
      known->second = i;
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
  for (std::uint32_t o = 0; o < obstacles_.size(); ++o) {
    if (obstacles_[o].lock == 0) continue;  // a join: its thread was found with it
    obstacles_[o].state = probe(obstacles_[o].lock, kinds_[o]);
    let_in_the_owner(obstacles_[o]);
  }
  for (std::uint32_t o = 0; o < obstacles_.size(); ++o) {
    if (obstacles_[o].lock != 0) find_blockers(obstacles_[o], kinds_[o]);
  }
  for (std::uint32_t o = 0; o < obstacles_.size(); ++o) {
    for (const Blocker& blocker : obstacles_[o].blockers) {
      if (blocker.thread == kNoOne || blocker.above_wait) continue;
      behind_[blocker.thread].push_back(o);
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
    kinds_.push_back(lock_kind(wait.kind));
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

// libc has granted it, and the thread had no processor since to write that down: it waits no more.
// Who truly waits for what is his own has a hold of it from before (also a signal handler, for what
// the interrupted code was just about to have), or sleeps in the kernel: libc names an owner that
// is up and about, and within one wait (its mark tells) nobody falls asleep again after that.
void WaitGraph::let_in_the_owner(Obstacle& obstacle) {
  const auto owner = by_tid_.find(obstacle.state.owner);
  if (obstacle.state.owner == 0 || owner == by_tid_.end()) return;
  const std::uint32_t thread = owner->second;
  const auto& wait = waits_[thread];
  if (before_[thread] == kNoOne || obstacles_[before_[thread]].lock != obstacle.lock) return;
  for (const HoldFact& hold : snapshot_.threads[thread].holds) {
    if (hold.lock != obstacle.lock || &hold == wait->intent) continue;
    if (hold.phase == hold_phase::kHeld) return;
    if (hold.phase == hold_phase::kAcquiring && wait->intent == nullptr) return;
  }
  // Of another process the number may be the same.
  if (!obstacle.state.between_processes && sleep_of(thread) == Sleep::kThere) return;
  std::erase(obstacles_[before_[thread]].waiters, thread);
  before_[thread] = kNoOne;
  waits_[thread].reset();
}

// To be asked after the lock was.
Sleep WaitGraph::sleep_of(std::uint32_t thread) {
  const auto [place, is_new] = sleeps_.emplace(thread, Sleep::kUnknown);
  if (is_new && sleep_ != nullptr && looks_left_ != 0) {
    --looks_left_;
    const CurrentWait& wait = *waits_[thread];
    place->second = sleep_(snapshot_.threads[thread].tid, wait.kind, wait.object);
  }
  return place->second;
}

// Whoever waits takes no locks but in a signal handler. Times are written down by ticks: of the
// same one the kernel is asked, where a thread that sleeps in its wait runs no handler.
bool WaitGraph::taken_above_wait(std::uint32_t thread, const HoldFact& hold) {
  if (before_[thread] == kNoOne) return false;
  const std::uint64_t since = waits_[thread]->tick;
  if (hold.tick == 0 || since == 0) return false;
  const auto later = static_cast<std::int32_t>(hold.tick - static_cast<std::uint32_t>(since));
  if (later != 0) return later > 0;
  looked_at_[thread] = true;
  return sleep_of(thread) == Sleep::kElsewhere;
}

void WaitGraph::find_blockers(Obstacle& obstacle, LockKind kind) {
  if (!obstacle.state.readable || kind == LockKind::kSpin || kind == LockKind::kOnce) {
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
    // More than are known: one that is gone, or one that has just come.
    const bool more = known_readers(obstacle.lock) < obstacle.state.readers;
    if (more) block_by_departures(obstacle, false);
    if (more && obstacle.blockers.size() < obstacle.state.readers) obstacle.blockers.emplace_back();
  }
}

const HoldFact* WaitGraph::hold_of(std::uint32_t thread, std::uint64_t lock, LockKind kind) const {
  const auto& holds = snapshot_.threads[thread].holds;
  const auto found = std::find_if(holds.begin(), holds.end(), [lock, kind](const HoldFact& hold) {
    return hold.lock == lock && hold.kind == kind;
  });
  return found == holds.end() ? nullptr : &*found;
}

std::uint64_t WaitGraph::known_readers(std::uint64_t lock) const {
  std::uint64_t readers = 0;
  for (const HolderIndex::Holder& holder : holders_.of(lock)) {
    const HoldFact& hold = snapshot_.threads[holder.thread].holds[holder.hold];
    if (hold.shared) readers += hold.levels;
  }
  return readers;
}

// libc's own word names the holder; the ledger adds since when and from where. Where it knows of no
// such hold, the number may mean another thread: one that is gone, one of another process, or,
// after a fork, the parent's number of the thread that goes on here.
void WaitGraph::block_by_owner(Obstacle& obstacle, LockKind kind) {
  const auto owner = by_tid_.find(obstacle.state.owner);
  const bool here = owner != by_tid_.end();
  if (here) {
    if (const HoldFact* const hold = hold_of(owner->second, obstacle.lock, kind)) {
      obstacle.blockers.push_back({owner->second, kNoOne, LinkReason::kHolder, hold->tick,
                                   hold->site, taken_above_wait(owner->second, *hold)});
      return;
    }
  }
  block_by_departures(obstacle, true);
  if (!obstacle.blockers.empty()) return;
  const bool ours = !obstacle.state.between_processes;
  if (ours && !here) block_by_holds(obstacle, false);
  if (!obstacle.blockers.empty()) return;
  obstacle.blockers.emplace_back();
  if (ours && here) obstacle.blockers.back().thread = owner->second;
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
    obstacle.blockers.push_back({holder.thread, kNoOne, LinkReason::kHolder, hold.tick, hold.site,
                                 taken_above_wait(holder.thread, hold)});
  }
}

void WaitGraph::block_by_departures(Obstacle& obstacle, bool owner_only) {
  for (std::uint32_t i = 0; i < snapshot_.departures.size(); ++i) {
    const DepartureFact& gone = snapshot_.departures[i];
    if (gone.hold.lock != obstacle.lock) continue;
    // In the parent that thread has it still, and can give it back.
    if (gone.reason == DepartureReason::kForked && obstacle.state.between_processes) continue;
    if (owner_only && gone.tid != obstacle.state.owner) continue;
    if (obstacle.reading && gone.hold.shared) continue;
    obstacle.blockers.push_back({kNoOne, i, LinkReason::kGone, gone.hold.tick, gone.hold.site});
  }
}

void WaitGraph::block_by_waiting_writers(Obstacle& obstacle) {
  // A reader more than the ledger knows: one of the waiters may have been let in just now.
  const std::uint64_t readers = obstacle.state.readers;
  const auto gone = std::count_if(snapshot_.departures.begin(), snapshot_.departures.end(),
                                  [&obstacle](const DepartureFact& d) {
                                    return d.hold.lock == obstacle.lock && d.hold.shared;
                                  });
  const std::uint64_t known = known_readers(obstacle.lock) + static_cast<std::uint64_t>(gone);
  if (readers == 0 || readers > known) return;
  const auto writing = index_.find(Key{obstacle.lock, 0});
  if (writing == index_.end()) return;
  for (const std::uint32_t i : obstacles_[writing->second].waiters) {
    if (waits_[i]->kind != WaitKind::kWrite || waits_[i]->timed) continue;
    obstacle.blockers.push_back({i, kNoOne, LinkReason::kWaitingWriter,
                                 static_cast<std::uint32_t>(waits_[i]->tick), waits_[i]->site});
  }
}

}  // namespace impasse
