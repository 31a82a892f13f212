#include "detector/stuck_set.h"

#include <algorithm>
#include <bit>
#include <set>
#include <utility>

#include "detector/signal_notes.h"

namespace impasse {
bool waits_lastingly(const Snapshot& snapshot, const WaitGraph& graph, std::uint32_t thread) {
  const ThreadFact& fact = snapshot.threads[thread];
  const auto& wait = graph.wait(thread);
  if (!wait || wait->timed || wait->in_handler || fact.changing) return false;
  // Not known since when: since before the clock began to run.
  const std::uint64_t since = std::min(std::max<std::uint64_t>(wait->tick, 1), snapshot.tick);
  return (snapshot.tick - since) * snapshot.tick_ns >= kLastingNs;
}

StuckSet::StuckSet(const Snapshot& snapshot, const WaitGraph& graph, LockProbe probe)
    : snapshot_(snapshot),
      graph_(graph),
      stuck_(snapshot.threads.size(), false),
      awaited_(snapshot.threads.size(), kNoOne),
      wakes_(snapshot.threads.size()),
      uses_(snapshot.threads.size()),
      lasting_blockers_(graph.obstacles().size(), 0) {
  // Who is not known at all may have signalled anything.
  anybody_may_signal_ = snapshot.counters[k_threads_without_slot] != 0;
  const auto threads = static_cast<std::uint32_t>(snapshot.threads.size());
  for (std::uint32_t i = 0; i < threads; ++i) find_waits(i);
  Numbers makers(signalled_.size(), 0);
  find_facts(makers);
  for (std::uint32_t i = 0; i < threads; ++i) {
    find_signallers(i);
    find_users(i);
  }
  leave_out_the_untried();
  find_makers(makers);
  find_kin();
  leave_out_the_hopeful();
  count_blockers();
  begin_with_those_who_go_on();
  settle();
  ask_objects(probe);
  settle();
  ask_partners(probe);
  settle();
}

const Signalled* StuckSet::awaited(std::uint32_t thread) const {
  return awaited_[thread] == kNoOne ? nullptr : &signalled_[awaited_[thread]];
}

void StuckSet::find_waits(std::uint32_t thread) {
  if (!waits_lastingly(snapshot_, graph_, thread)) return;
  const CurrentWait& wait = *graph_.wait(thread);
  if (!wait.for_signal()) {
    // Who comes to a barrier is not known.
    stuck_[thread] = graph_.before(thread) != nullptr;
    return;
  }
  stuck_[thread] = true;
  const LockKind kind = lock_kind(wait.kind);
  const auto [place, is_new] = by_object_[kind == LockKind::kSemaphore ? 1 : 0].emplace(
      wait.object, static_cast<std::uint32_t>(signalled_.size()));
  if (is_new) {
    signalled_.emplace_back().object = wait.object;
    signalled_.back().kind = kind;
  }
  awaited_[thread] = place->second;
  signalled_[place->second].waiters.push_back(thread);
  const std::uint64_t at = touched_place(kind == LockKind::kSemaphore ? wait.object : wait.partner);
  std::vector<std::uint32_t>& there = by_touched_[at];
  if (there.empty() || there.back() != place->second) there.push_back(place->second);
  add_place(awaited_places_, at);
  if (wait.partner == 0) return;
  const auto [mutex, is_first] =
      by_mutex_.emplace(wait.partner, static_cast<std::uint32_t>(partners_.size()));
  if (is_first) partners_.emplace_back().mutex = wait.partner;
  partners_[mutex->second].waiters.push_back(thread);
}

// What was written down about the objects: whom they have woken, and who is gone.
void StuckSet::find_facts(Numbers& makers) {
  std::vector<bool> known(signalled_.size(), false);
  for (const LockFact& fact : snapshot_.locks) {
    if (fact.kind != LockKind::kCondition && fact.kind != LockKind::kSemaphore) continue;
    const auto& index = by_object_[fact.kind == LockKind::kSemaphore ? 1 : 0];
    const auto place = index.find(fact.address);
    if (place == index.end()) continue;
    known[place->second] = true;
    makers[place->second] = fact.gone_signallers_maker;
    signalled_[place->second].woken_sites = fact.woken_sites;
  }
  for (std::size_t i = 0; i < signalled_.size(); ++i) {
    if (!known[i] || anybody_may_signal_) signalled_[i].hopeful = true;
  }
}

void StuckSet::find_signallers(std::uint32_t thread) {
  for (const SignalFact& fact : snapshot_.threads[thread].signals) {
    const auto& index = by_object_[fact.kind == SignalKind::kPost ? 1 : 0];
    const auto place = index.find(fact.object);
    if (place == index.end()) continue;
    Signalled& signalled = signalled_[place->second];
    signalled.signallers.push_back({thread, fact.tick});
    signalled.most_signals = std::max(signalled.most_signals, fact.count);
    wakes_[thread].push_back(place->second);
  }
}

// Whoever made signallers that have ended can make more.
void StuckSet::find_makers(const Numbers& makers) {
  std::unordered_map<std::uint32_t, std::uint32_t> by_number;
  for (std::uint32_t i = 0; i < snapshot_.threads.size(); ++i) {
    if (snapshot_.threads[i].number != 0) by_number.emplace(snapshot_.threads[i].number, i);
  }
  for (std::uint32_t i = 0; i < signalled_.size(); ++i) {
    Signalled& signalled = signalled_[i];
    if (makers[i] == 0) {
      if (signalled.signallers.empty()) signalled.hopeful = true;
      continue;
    }
    const auto maker = by_number.find(makers[i]);
    if (makers[i] == kSeveralMakers || maker == by_number.end()) {
      signalled.hopeful = true;
      continue;
    }
    signalled.maker = maker->second;
    wakes_[signalled.maker].push_back(i);
  }
}

// A worker at its first job has signalled nothing yet, and will when it is done.
void StuckSet::find_kin() {
  const auto add = [](std::vector<std::uint32_t>& to, std::uint32_t signalled) {
    if (to.empty() || to.back() != signalled) to.push_back(signalled);
  };
  for (std::uint32_t i = 0; i < signalled_.size(); ++i) {
    for (const Signalled::Signaller& one : signalled_[i].signallers) {
      const std::uint64_t entry = snapshot_.threads[one.thread].entry;
      if (entry != 0) add(kin_by_entry_[entry], i);
    }
    if (signalled_[i].maker != kNoOne)
      add(kin_by_maker_[snapshot_.threads[signalled_[i].maker].number], i);
  }
}

// Nobody was ever woken there: those who are to do it may not have begun, and who signalled may
// have meant others. The place tells one wait of a C++ program from another, which all have one
// call site; who waits where others signal again and again, as he does, waits for the same.
void StuckSet::leave_out_the_untried() {
  for (std::uint32_t s = 0; s < signalled_.size(); ++s) {
    const Signalled& signalled = signalled_[s];
    for (const std::uint32_t waiter : signalled.waiters) {
      const CurrentWait& wait = *graph_.wait(waiter);
      const auto& wakes = wakes_[waiter];
      const bool site = (signalled.woken_sites & site_bit(wait.site)) != 0;
      const bool place = wait.place != 0 && (signalled.woken_sites & site_bit(wait.place)) != 0;
      const bool often = signalled.most_signals >= kManySignals &&
                         std::find(wakes.begin(), wakes.end(), s) != wakes.end();
      if (!site || (!place && !often)) stuck_[waiter] = false;
    }
  }
}

void StuckSet::leave_out_the_hopeful() {
  for (const Signalled& signalled : signalled_) {
    if (!signalled.hopeful) continue;
    for (const std::uint32_t waiter : signalled.waiters) stuck_[waiter] = false;
  }
}

void StuckSet::uses(std::uint32_t thread, std::uint64_t mutex) {
  const auto place = by_mutex_.find(mutex);
  if (place == by_mutex_.end()) return;
  partners_[place->second].users.push_back(thread);
  uses_[thread].push_back(place->second);
}

void StuckSet::find_users(std::uint32_t thread) {
  if (partners_.empty()) return;
  for (const HoldFact& hold : snapshot_.threads[thread].holds) {
    if (hold.phase != hold_phase::kGivenBack) uses(thread, hold.lock);
  }
  const auto& wait = graph_.wait(thread);
  if (wait && wait->for_lock() && wait->intent == nullptr) uses(thread, wait->object);
}

void StuckSet::count_blockers() {
  for (std::size_t o = 0; o < lasting_blockers_.size(); ++o) {
    const Obstacle& obstacle = graph_.obstacles()[o];
    for (const Blocker& blocker : obstacle.blockers) {
      const bool here = blocker.thread != kNoOne && !blocker.above_wait;
      const bool gone = blocker.departure != kNoOne && !obstacle.state.robust;
      if (here || gone) ++lasting_blockers_[o];
    }
  }
}

void StuckSet::begin_with_those_who_go_on() {
  for (std::uint32_t i = 0; i < stuck_.size(); ++i) {
    if (!stuck_[i]) going_on_.push_back(i);
  }
  for (std::size_t o = 0; o < lasting_blockers_.size(); ++o) {
    if (lasting_blockers_[o] != 0) continue;
    for (const std::uint32_t waiter : graph_.obstacles()[o].waiters) goes_on(waiter);
  }
}

// Those for whom anything speaks have been sorted out already.
void StuckSet::ask_objects(LockProbe probe) {
  for (Signalled& signalled : signalled_) {
    const bool in_vain = std::any_of(signalled.waiters.begin(), signalled.waiters.end(),
                                     [this](std::uint32_t i) { return stuck_[i]; });
    if (!in_vain || signalled.hopeful) continue;
    const LockState state = probe(signalled.object, signalled.kind);
    if (!state.readable || state.between_processes || state.tokens != 0) give_hope(signalled);
  }
}

// libc's word knows holders that the ledger does not.
void StuckSet::ask_partners(LockProbe probe) {
  std::unordered_map<std::uint32_t, std::uint32_t> by_tid;
  for (std::uint32_t i = 0; i < snapshot_.threads.size(); ++i) {
    by_tid.emplace(snapshot_.threads[i].tid, i);
  }
  std::set<std::pair<std::uint64_t, std::uint32_t>> left;  // by those who are gone
  for (const DepartureFact& gone : snapshot_.departures) left.emplace(gone.hold.lock, gone.tid);
  for (std::uint32_t i = 0; i < partners_.size(); ++i) {
    Partner& partner = partners_[i];
    const bool in_vain = std::any_of(partner.waiters.begin(), partner.waiters.end(),
                                     [this](std::uint32_t w) { return stuck_[w]; });
    if (!in_vain || partner.busy) continue;
    const LockState state = probe(partner.mutex, LockKind::kMutex);
    if (state.owner == 0) continue;
    const auto owner = by_tid.find(state.owner);
    if (owner == by_tid.end()) {
      if (!left.contains({partner.mutex, state.owner})) keep_busy(partner);
      continue;
    }
    partner.users.push_back(owner->second);
    uses_[owner->second].push_back(i);
    if (!stuck_[owner->second]) keep_busy(partner);
  }
}

void StuckSet::goes_on(std::uint32_t thread) {
  if (!stuck_[thread]) return;
  stuck_[thread] = false;
  going_on_.push_back(thread);
}

void StuckSet::give_hope(Signalled& signalled) {
  if (signalled.hopeful) return;
  signalled.hopeful = true;
  for (const std::uint32_t waiter : signalled.waiters) goes_on(waiter);
}

void StuckSet::keep_busy(Partner& partner) {
  if (partner.busy) return;
  partner.busy = true;
  for (const std::uint32_t waiter : partner.waiters) goes_on(waiter);
}

// Once is enough: each of them has hope then.
void StuckSet::give_hope_to_kin(const ThreadFact& thread) {
  const auto give = [this](auto& kin, const auto& key) {
    const auto found = kin.find(key);
    if (found == kin.end()) return;
    for (const std::uint32_t s : found->second) give_hope(signalled_[s]);
    kin.erase(found);
  };
  give(kin_by_entry_, thread.entry);
  give(kin_by_maker_, thread.maker);
}

// Who has had the mutex may have changed what is waited for, and be about to signal for the first
// time; who has taken a token may give it back. Once is enough, as for kin.
void StuckSet::give_hope_to_touched(const ThreadFact& thread) {
  for (std::size_t word = 0; word < awaited_places_.size(); ++word) {
    for (std::uint64_t common = awaited_places_[word] & thread.touched[word]; common != 0;
         common &= common - 1) {
      const auto found =
          by_touched_.find(word * 64 + static_cast<std::uint64_t>(std::countr_zero(common)));
      for (const std::uint32_t s : found->second) give_hope(signalled_[s]);
      by_touched_.erase(found);
    }
    awaited_places_[word] &= ~thread.touched[word];
  }
}

void StuckSet::settle() {
  while (!going_on_.empty()) {
    const std::uint32_t thread = going_on_.back();
    going_on_.pop_back();
    for (const std::uint32_t o : graph_.behind(thread)) {
      if (lasting_blockers_[o] == 0 || --lasting_blockers_[o] != 0) continue;
      for (const std::uint32_t waiter : graph_.obstacles()[o].waiters) goes_on(waiter);
    }
    for (const std::uint32_t s : wakes_[thread]) give_hope(signalled_[s]);
    give_hope_to_kin(snapshot_.threads[thread]);
    give_hope_to_touched(snapshot_.threads[thread]);
    for (const std::uint32_t p : uses_[thread]) keep_busy(partners_[p]);
    if (snapshot_.threads[thread].signals_lost && !anybody_may_signal_) {
      anybody_may_signal_ = true;
      for (Signalled& signalled : signalled_) give_hope(signalled);
    }
  }
}

}  // namespace impasse
