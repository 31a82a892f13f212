#include "detector/verdicts.h"

#include <algorithm>
#include <deque>
#include <unordered_map>
#include <unordered_set>

#include "detector/site_hash.h"

namespace impasse {
namespace {

constexpr std::uint64_t kExitGraceNs = 1'000'000'000;
constexpr std::size_t kMostAlong = 64;
// What one look keeps: enough for each trouble that differs, however many are alike.
constexpr std::size_t kMostVerdicts = 1'024;
constexpr std::size_t kMostAlike = 16;  // at the same places

bool is_stuck(const Blocker& blocker) {
  return blocker.thread != kNoOne && !blocker.above_wait;
}

class Judgement {
 public:
  Judgement(const Snapshot& snapshot, const WaitGraph& graph, const Thresholds& thresholds)
      : snapshot_(snapshot),
        thresholds_(thresholds),
        graph_(graph),
        explained_(snapshot.threads.size(), false) {}

  std::vector<Verdict> all() {
    waits_for_oneself();
    circles();
    waits_for_the_gone();
    long_waits();
    return std::move(verdicts_);
  }

 private:
  void waits_for_oneself();
  void circles();
  void waits_for_the_gone();
  void long_waits();

  // Whether this thread will wait for as long as its blockers let it.
  bool waits_for_good(std::uint32_t thread) const {
    return graph_.before(thread) != nullptr && !graph_.wait(thread)->timed;
  }
  std::vector<bool> in_or_before_circles() const;
  std::vector<VerdictLink> shortest_circle(std::uint32_t from) const;
  void follow(std::uint32_t waiter, Verdict& verdict) const;
  void add_crowd(Verdict& verdict, const std::vector<std::uint32_t>& roots);
  void finish(Verdict&& verdict, const std::vector<std::uint32_t>& roots);
  bool full() const { return verdicts_.size() >= kMostVerdicts; }
  void measure(Verdict& verdict, std::uint32_t thread) const;
  VerdictLink link(std::uint32_t waiter, const Obstacle& obstacle, const Blocker& blocker) const {
    return {waiter, blocker.departure != kNoOne ? blocker.departure : blocker.thread, obstacle.lock,
            blocker.reason};
  }

  const Snapshot& snapshot_;
  const Thresholds& thresholds_;
  const WaitGraph& graph_;
  std::vector<bool> explained_;  // by thread: its wait belongs to a verdict
  std::vector<Verdict> verdicts_;
  std::unordered_map<std::uint64_t, std::size_t> alike_;  // by sites
};

void Judgement::measure(Verdict& verdict, std::uint32_t thread) const {
  verdict.longest_ns = std::max(verdict.longest_ns, graph_.waited_ns(thread));
}

// Everybody who waits behind the roots, layer by layer.
void Judgement::add_crowd(Verdict& verdict, const std::vector<std::uint32_t>& roots) {
  std::deque<std::uint32_t> next(roots.begin(), roots.end());
  while (!next.empty()) {
    const std::uint32_t blocker = next.front();
    next.pop_front();
    for (const std::uint32_t o : graph_.behind(blocker)) {
      const Obstacle& obstacle = graph_.obstacles()[o];
      const auto way = std::find_if(obstacle.blockers.begin(), obstacle.blockers.end(),
                                    [blocker](const Blocker& b) { return b.thread == blocker; });
      for (const std::uint32_t waiter : obstacle.waiters) {
        if (explained_[waiter]) continue;
        explained_[waiter] = true;
        verdict.crowd.push_back(link(waiter, obstacle, *way));
        measure(verdict, waiter);
        next.push_back(waiter);
      }
    }
  }
}

void Judgement::finish(Verdict&& verdict, const std::vector<std::uint32_t>& roots) {
  std::uint64_t wanted = verdict.cycle.empty() ? 0 : verdict.cycle.back().lock;
  for (const VerdictLink& one : verdict.cycle) {
    explained_[one.waiter] = true;
    measure(verdict, one.waiter);
    const auto& wait = graph_.wait(one.waiter);
    const ThreadFact& thread = snapshot_.threads[one.waiter];
    verdict.marks.push_back({thread.tid, wait->mark});
    if (graph_.was_looked_at(one.waiter)) verdict.held.push_back({thread.tid, thread.state});
    // Summed: the same circle may be met beginning with any of its threads.
    std::uint64_t site = mix_site(1, wait->site);
    for (const HoldFact& hold : thread.holds) {
      if (hold.lock == wanted && hold.phase == hold_phase::kHeld) site = mix_site(site, hold.site);
    }
    wanted = one.lock;
    verdict.sites += site;
  }
  verdict.sites = mix_site(verdict.sites, static_cast<std::uint64_t>(verdict.kind));
  add_crowd(verdict, roots);
  if (verdict.kind == FindingKind::kLongWait) {
    for (const VerdictLink& one : verdict.crowd) {
      if (verdict.along.size() >= kMostAlong) break;
      if (graph_.waited_ns(one.waiter) < thresholds_.wait_ns / 2) continue;
      verdict.along.push_back({snapshot_.threads[one.waiter].tid, graph_.wait(one.waiter)->mark});
    }
  }
  if (++alike_[verdict.sites] <= kMostAlike) verdicts_.push_back(std::move(verdict));
}

void Judgement::waits_for_oneself() {
  for (std::uint32_t i = 0; i < snapshot_.threads.size() && !full(); ++i) {
    if (!waits_for_good(i)) continue;
    const Obstacle& obstacle = *graph_.before(i);
    for (const Blocker& blocker : obstacle.blockers) {
      if (blocker.thread != i || blocker.reason != LinkReason::kHolder || blocker.above_wait) {
        continue;
      }
      Verdict verdict;
      verdict.kind = FindingKind::kSelfDeadlock;
      verdict.root = i;
      verdict.root_lock = obstacle.lock;
      verdict.cycle.push_back(link(i, obstacle, blocker));
      finish(std::move(verdict), {i});
      break;
    }
  }
}

// Takes away, again and again, who waits for nobody that waits: what is left is in a circle or
// behind one.
std::vector<bool> Judgement::in_or_before_circles() const {
  const auto n = static_cast<std::uint32_t>(snapshot_.threads.size());
  std::vector<std::uint32_t> reasons(n, 0);  // blockers that wait for good themselves
  std::vector<bool> left(n, false);
  std::deque<std::uint32_t> free;
  for (std::uint32_t i = 0; i < n; ++i) {
    if (!waits_for_good(i) || explained_[i]) continue;
    left[i] = true;
    for (const Blocker& b : graph_.before(i)->blockers) {
      if (is_stuck(b) && waits_for_good(b.thread) && !explained_[b.thread]) ++reasons[i];
    }
    if (reasons[i] == 0) free.push_back(i);
  }
  while (!free.empty()) {
    const std::uint32_t gone = free.front();
    free.pop_front();
    left[gone] = false;
    for (const std::uint32_t o : graph_.behind(gone)) {
      for (const std::uint32_t waiter : graph_.obstacles()[o].waiters) {
        if (left[waiter] && reasons[waiter] != 0 && --reasons[waiter] == 0) free.push_back(waiter);
      }
    }
  }
  return left;
}

// The shortest way along the waits from this thread back to itself; empty: there is none.
std::vector<VerdictLink> Judgement::shortest_circle(std::uint32_t from) const {
  std::vector<std::uint32_t> came_from(snapshot_.threads.size(), kNoOne);
  std::vector<bool> seen(snapshot_.threads.size(), false);
  std::deque<std::uint32_t> next{from};
  std::uint32_t last = kNoOne;
  while (!next.empty() && last == kNoOne) {
    const std::uint32_t waiter = next.front();
    next.pop_front();
    if (!waits_for_good(waiter)) continue;
    for (const Blocker& b : graph_.before(waiter)->blockers) {
      if (!is_stuck(b)) continue;
      if (b.thread == from) {
        last = waiter;
        break;
      }
      if (seen[b.thread]) continue;
      seen[b.thread] = true;
      came_from[b.thread] = waiter;
      next.push_back(b.thread);
    }
  }
  std::vector<VerdictLink> circle;
  if (last == kNoOne) return circle;
  std::uint32_t blocker = from;
  for (std::uint32_t waiter = last;; waiter = came_from[waiter]) {
    const Obstacle& obstacle = *graph_.before(waiter);
    const auto way =
        std::find_if(obstacle.blockers.begin(), obstacle.blockers.end(),
                     [blocker](const Blocker& b) { return b.thread == blocker && is_stuck(b); });
    circle.push_back(link(waiter, obstacle, *way));
    if (waiter == from) break;
    blocker = waiter;
  }
  std::reverse(circle.begin(), circle.end());
  return circle;
}

void Judgement::circles() {
  const std::vector<bool> left = in_or_before_circles();
  // Whoever waits behind a circle is in its crowd: those that are not, are as before.
  for (std::uint32_t i = 0; i < left.size() && !full(); ++i) {
    if (!left[i] || explained_[i]) continue;
    // Along the waits of those that are left one must meet somebody twice.
    std::uint32_t at = i;
    std::unordered_set<std::uint32_t> passed;
    while (passed.insert(at).second) {
      const auto& blockers = graph_.before(at)->blockers;
      const auto on = std::find_if(blockers.begin(), blockers.end(), [&](const Blocker& b) {
        return is_stuck(b) && left[b.thread] && !explained_[b.thread];
      });
      if (on == blockers.end()) return;  // cannot be: it would have been taken away
      at = on->thread;
    }
    Verdict verdict;
    verdict.kind = FindingKind::kDeadlock;
    verdict.cycle = shortest_circle(at);
    if (verdict.cycle.empty()) return;  // nor that
    verdict.root = at;
    verdict.root_lock = verdict.cycle.front().lock;
    std::vector<std::uint32_t> roots;
    for (const VerdictLink& one : verdict.cycle) roots.push_back(one.waiter);
    finish(std::move(verdict), roots);
  }
}

void Judgement::waits_for_the_gone() {
  for (const Obstacle& obstacle : graph_.obstacles()) {
    if (obstacle.state.robust || full()) continue;
    const auto gone = std::find_if(obstacle.blockers.begin(), obstacle.blockers.end(),
                                   [](const Blocker& b) { return b.departure != kNoOne; });
    if (gone == obstacle.blockers.end()) continue;
    Verdict verdict;
    verdict.kind = FindingKind::kOrphanedLock;
    verdict.gone_root = gone->departure;
    verdict.root_lock = obstacle.lock;
    verdict.sites = mix_site(mix_site(7, gone->site), obstacle.lock == 0 ? 1 : 2);
    std::vector<std::uint32_t> first;
    for (const std::uint32_t waiter : obstacle.waiters) {
      if (explained_[waiter] || graph_.wait(waiter)->timed) continue;
      explained_[waiter] = true;
      first.push_back(waiter);
      verdict.crowd.push_back(link(waiter, obstacle, *gone));
      verdict.marks.push_back({snapshot_.threads[waiter].tid, graph_.wait(waiter)->mark});
      measure(verdict, waiter);
    }
    if (first.empty()) continue;
    verdict.marks.resize(1);  // one waiter proves it; others come and go
    finish(std::move(verdict), first);
  }
}

// From a waiter along the main blockers to whoever does not wait.
void Judgement::follow(std::uint32_t waiter, Verdict& verdict) const {
  std::vector<bool> passed(snapshot_.threads.size(), false);
  std::uint32_t at = waiter;
  while (const Obstacle* obstacle = graph_.before(at)) {
    passed[at] = true;
    if (obstacle->lock != 0) verdict.root_lock = obstacle->lock;
    const Blocker* const blocker = main_blocker(*obstacle);
    verdict.root = blocker == nullptr ? kNoOne : blocker->thread;
    verdict.gone_root = blocker == nullptr ? kNoOne : blocker->departure;
    if (blocker != nullptr && obstacle->lock != 0) verdict.sites = mix_site(11, blocker->site);
    if (verdict.root == kNoOne || passed[verdict.root] || blocker->above_wait) return;
    at = verdict.root;
  }
}

void Judgement::long_waits() {
  std::vector<std::uint32_t> late;
  for (std::uint32_t i = 0; i < snapshot_.threads.size(); ++i) {
    const auto& wait = graph_.wait(i);
    if (wait && wait->for_lock() && !explained_[i] && graph_.waited_ns(i) >= thresholds_.wait_ns) {
      late.push_back(i);
    }
  }
  std::stable_sort(late.begin(), late.end(), [this](std::uint32_t a, std::uint32_t b) {
    return graph_.waited_ns(a) > graph_.waited_ns(b);
  });
  for (const std::uint32_t i : late) {
    if (explained_[i]) continue;
    if (full()) return;
    Verdict verdict;
    verdict.kind = FindingKind::kLongWait;
    follow(i, verdict);
    verdict.marks.push_back({snapshot_.threads[i].tid, graph_.wait(i)->mark});
    std::vector<std::uint32_t> roots;
    if (verdict.root != kNoOne) roots.push_back(verdict.root);
    // Whoever waits for this lock belongs to it, also while nobody is known to hold it.
    for (const Obstacle& obstacle : graph_.obstacles()) {
      if (obstacle.lock != verdict.root_lock || obstacle.lock == 0) continue;
      const Blocker* const blocker = main_blocker(obstacle);
      for (const std::uint32_t waiter : obstacle.waiters) {
        if (explained_[waiter] || waiter == verdict.root) continue;
        explained_[waiter] = true;
        verdict.crowd.push_back(blocker == nullptr ? VerdictLink{waiter, kNoOne, obstacle.lock}
                                                   : link(waiter, obstacle, *blocker));
        measure(verdict, waiter);
        roots.push_back(waiter);
      }
    }
    finish(std::move(verdict), roots);
  }
}

}  // namespace

std::vector<Verdict> judge(const Snapshot& snapshot, const WaitGraph& graph,
                           const Thresholds& thresholds) {
  return Judgement(snapshot, graph, thresholds).all();
}

void judge_exits(const Snapshot& snapshot, LockProbe probe, std::vector<Verdict>& verdicts) {
  std::unordered_map<std::uint64_t, std::size_t> alike;
  const std::size_t most = verdicts.size() + kMostVerdicts;
  for (std::uint32_t i = 0; i < snapshot.departures.size() && verdicts.size() < most; ++i) {
    const DepartureFact& gone = snapshot.departures[i];
    const std::uint64_t lock = gone.hold.lock;
    // Readers are not known to libc by name: what cannot be checked is not said.
    if (gone.reason != DepartureReason::kThreadEnded || gone.hold.shared) continue;
    // Mostly somebody comes to ask for it, which says more.
    if (snapshot.now_ns < gone.when_ns + kExitGraceNs) continue;
    if (std::any_of(verdicts.begin(), verdicts.end(),
                    [lock](const Verdict& v) { return v.root_lock == lock; })) {
      continue;
    }
    if (alike[gone.hold.site] >= kMostAlike) continue;
    const LockState state = probe(lock, gone.hold.kind);
    if (!state.readable || state.robust || state.owner != gone.tid) continue;
    Verdict verdict;
    verdict.kind = FindingKind::kMisuse;
    verdict.gone_root = i;
    verdict.root_lock = lock;
    verdict.sites = mix_site(13, gone.hold.site);
    verdict.marks.push_back({gone.tid, gone.when_ns});
    ++alike[gone.hold.site];
    verdicts.push_back(std::move(verdict));
  }
}

}  // namespace impasse
