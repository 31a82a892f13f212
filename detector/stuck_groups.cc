#include "detector/stuck_groups.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "detector/site_hash.h"
#include "detector/stuck_set.h"

namespace impasse {
namespace {

constexpr std::size_t kMostGroups = 1'024;
constexpr std::size_t kMostAlike = 16;  // at the same places
constexpr std::size_t kMostAsked = 1'024;

// Threads that belong together.
class Together {
 public:
  explicit Together(std::size_t threads) : parent_(threads) {
    std::iota(parent_.begin(), parent_.end(), 0U);
  }
  std::uint32_t group_of(std::uint32_t thread) {
    while (parent_[thread] != thread) {
      parent_[thread] = parent_[parent_[thread]];
      thread = parent_[thread];
    }
    return thread;
  }
  void join(std::uint32_t a, std::uint32_t b) { parent_[group_of(a)] = group_of(b); }

 private:
  std::vector<std::uint32_t> parent_;
};

// Joins all that it is told of, as long as they are stuck.
class Joining {
 public:
  Joining(Together& together, const StuckSet& stuck) : together_(together), stuck_(stuck) {}
  void add(std::uint32_t thread) {
    if (thread == kNoOne || !stuck_.contains(thread)) return;
    if (first_ == kNoOne) first_ = thread;
    together_.join(first_, thread);
  }
  template <typename Threads>
  void add_all(const Threads& threads) {
    for (const std::uint32_t thread : threads) add(thread);
  }

 private:
  Together& together_;
  const StuckSet& stuck_;
  std::uint32_t first_ = kNoOne;
};

bool nobody_stuck(const StuckSet& stuck, const std::vector<std::uint32_t>& threads) {
  return std::none_of(threads.begin(), threads.end(),
                      [&stuck](std::uint32_t i) { return stuck.contains(i); });
}

class GroupJudgement {
 public:
  GroupJudgement(const Snapshot& snapshot, const WaitGraph& graph, LockProbe probe,
                 const ProcessView& process, std::vector<Verdict>& verdicts)
      : snapshot_(snapshot),
        graph_(graph),
        probe_(probe),
        process_(process),
        verdicts_(verdicts),
        stuck_(snapshot, graph, probe),
        explained_(snapshot.threads.size(), false) {}

  void all();

 private:
  using Threads = std::vector<std::uint32_t>;

  void find_explained();
  bool all_wait_lastingly() const;
  bool everybody_waits() const;
  bool the_others_have_just_begun() const;
  bool is_private(const Obstacle* obstacle, const CurrentWait& wait) const;
  bool no_other_tasks() const;
  bool catches_signals();
  bool timer_calls_program() const;
  std::vector<Threads> groups() const;
  bool any_posted(const Threads& threads) const;

  Verdict verdict_over(FindingKind kind, const Threads& threads);
  VerdictLink link_of(std::uint32_t thread);
  template <typename Awaited>
  VerdictLink link_behind(std::uint32_t thread, const Awaited& awaited);
  VerdictLink behind(const Obstacle& obstacle) const;
  VerdictLink behind(const Signalled& signalled) const;
  std::uint64_t most_awaited(const Threads& threads) const;
  void add_marks(Verdict& verdict, const Threads& threads) const;
  std::uint64_t sites_of(const Verdict& verdict) const;

  const Snapshot& snapshot_;
  const WaitGraph& graph_;
  const LockProbe probe_;
  const ProcessView& process_;
  std::vector<Verdict>& verdicts_;
  const StuckSet stuck_;
  std::vector<bool> explained_;  // by thread: its wait belongs to a verdict of another kind
  bool nothing_explained_ = true;
  std::unordered_map<const void*, VerdictLink> links_;  // the same for all who wait there
  std::optional<bool> catches_;
};

// Who is in a circle, behind one, or behind the gone was told so.
void GroupJudgement::find_explained() {
  for (const Verdict& verdict : verdicts_) {
    if (verdict.kind == FindingKind::kLongWait || verdict.kind == FindingKind::kMisuse) continue;
    nothing_explained_ = false;
    for (const auto* links : {&verdict.cycle, &verdict.crowd}) {
      for (const VerdictLink& link : *links) explained_[link.waiter] = true;
    }
  }
}

bool GroupJudgement::is_private(const Obstacle* obstacle, const CurrentWait& wait) const {
  if (wait.kind == WaitKind::kJoin) return true;
  if (obstacle != nullptr) return !obstacle->state.between_processes;
  const LockState state = probe_(wait.object, lock_kind(wait.kind));
  return state.readable && !state.between_processes && state.tokens == 0;
}

bool GroupJudgement::all_wait_lastingly() const {
  for (std::uint32_t i = 0; i < snapshot_.threads.size(); ++i) {
    if (!waits_lastingly(snapshot_, graph_, i)) return false;
  }
  return true;
}

bool GroupJudgement::everybody_waits() const {
  if (!all_wait_lastingly()) return false;
  const auto threads = static_cast<std::uint32_t>(snapshot_.threads.size());
  std::unordered_set<std::uint64_t> asked;
  for (std::uint32_t i = 0; i < threads; ++i) {
    const CurrentWait& wait = *graph_.wait(i);
    if (asked.insert(wait.object).second && !is_private(graph_.before(i), wait)) return false;
  }
  return no_other_tasks();
}

// The last ones came to wait as well, and not for long yet: soon there is more to tell, or less.
bool GroupJudgement::the_others_have_just_begun() const {
  for (std::uint32_t i = 0; i < snapshot_.threads.size(); ++i) {
    const auto& wait = graph_.wait(i);
    if (!wait || wait->timed || wait->in_handler || snapshot_.threads[i].changing) return false;
  }
  return true;
}

// A thread that is not in the ledger may be anywhere.
bool GroupJudgement::no_other_tasks() const {
  std::vector<std::uint32_t> tids;
  if (process_.tasks == nullptr || !process_.tasks(tids) || tids.empty()) return false;
  std::unordered_set<std::uint32_t> known;
  for (const ThreadFact& thread : snapshot_.threads) known.insert(thread.tid);
  return std::all_of(tids.begin(), tids.end(),
                     [&known](std::uint32_t tid) { return known.contains(tid); });
}

bool GroupJudgement::catches_signals() {
  if (!catches_) catches_ = process_.catches_signals == nullptr || process_.catches_signals();
  return *catches_;
}

// Those who wait may be waiting for just that.
bool GroupJudgement::timer_calls_program() const {
  return process_.timer_calls_program != nullptr && process_.timer_calls_program();
}

std::vector<GroupJudgement::Threads> GroupJudgement::groups() const {
  Together together(snapshot_.threads.size());
  for (const Obstacle& obstacle : graph_.obstacles()) {
    if (nobody_stuck(stuck_, obstacle.waiters)) continue;
    Joining joining(together, stuck_);
    joining.add_all(obstacle.waiters);
    for (const Blocker& blocker : obstacle.blockers) {
      if (!blocker.above_wait) joining.add(blocker.thread);
    }
  }
  for (const Signalled& signalled : stuck_.signalled()) {
    if (nobody_stuck(stuck_, signalled.waiters)) continue;
    Joining joining(together, stuck_);
    joining.add_all(signalled.waiters);
    for (const Signalled::Signaller& one : signalled.signallers) joining.add(one.thread);
    joining.add(signalled.maker);
  }
  for (const Partner& partner : stuck_.partners()) {
    if (nobody_stuck(stuck_, partner.waiters)) continue;
    Joining joining(together, stuck_);
    joining.add_all(partner.waiters);
    joining.add_all(partner.users);
  }

  std::unordered_map<std::uint32_t, std::size_t> numbers;
  for (const Signalled& signalled : stuck_.signalled()) {
    for (const std::uint32_t waiter : signalled.waiters) {
      if (stuck_.contains(waiter)) numbers.emplace(together.group_of(waiter), numbers.size());
    }
  }
  std::vector<Threads> groups(numbers.size());
  for (std::uint32_t i = 0; i < snapshot_.threads.size(); ++i) {
    if (!stuck_.contains(i)) continue;
    const auto number = numbers.find(together.group_of(i));
    if (number != numbers.end()) groups[number->second].push_back(i);
  }
  return groups;
}

bool GroupJudgement::any_posted(const Threads& threads) const {
  return std::any_of(threads.begin(), threads.end(), [this](std::uint32_t i) {
    return graph_.wait(i)->kind == WaitKind::kSemaphore;
  });
}

// Whoever is stuck as well, if there is a choice.
VerdictLink GroupJudgement::behind(const Obstacle& obstacle) const {
  VerdictLink link{kNoOne, kNoOne, obstacle.lock, LinkReason::kHolder};
  const auto is_stuck = [this](const Blocker& blocker) {
    return blocker.thread != kNoOne && stuck_.contains(blocker.thread);
  };
  const Blocker* blocker = main_blocker(obstacle);
  if (blocker == nullptr) return link;
  if (!is_stuck(*blocker)) {
    const auto stuck = std::find_if(obstacle.blockers.begin(), obstacle.blockers.end(), is_stuck);
    if (stuck != obstacle.blockers.end()) blocker = &*stuck;
  }
  link.reason = blocker->reason;
  link.blocker = blocker->departure != kNoOne ? blocker->departure : blocker->thread;
  return link;
}

// Whoever did it last.
VerdictLink GroupJudgement::behind(const Signalled& signalled) const {
  VerdictLink link{kNoOne, kNoOne, signalled.object, LinkReason::kSignaller};
  const auto now = static_cast<std::uint32_t>(snapshot_.tick);
  const auto last =
      std::min_element(signalled.signallers.begin(), signalled.signallers.end(),
                       [now](const auto& a, const auto& b) { return now - a.tick < now - b.tick; });
  if (last != signalled.signallers.end()) link.blocker = last->thread;
  return link;
}

template <typename Awaited>
VerdictLink GroupJudgement::link_behind(std::uint32_t thread, const Awaited& awaited) {
  const auto [known, is_new] = links_.emplace(&awaited, VerdictLink{});
  if (is_new) known->second = behind(awaited);
  VerdictLink link = known->second;
  link.waiter = thread;
  return link;
}

VerdictLink GroupJudgement::link_of(std::uint32_t thread) {
  if (const Obstacle* const obstacle = graph_.before(thread)) return link_behind(thread, *obstacle);
  if (const Signalled* const signalled = stuck_.awaited(thread)) {
    return link_behind(thread, *signalled);
  }
  return {thread, kNoOne, graph_.wait(thread)->object, LinkReason::kSignaller};
}

std::uint64_t GroupJudgement::most_awaited(const Threads& threads) const {
  std::unordered_map<std::uint64_t, std::size_t> waiters;
  std::uint64_t best = 0;
  std::size_t most = 0;
  for (const std::uint32_t i : threads) {
    const CurrentWait& wait = *graph_.wait(i);
    if (!wait.for_signal()) continue;
    const std::size_t count = ++waiters[wait.object];
    if (count < most || (count == most && wait.object > best)) continue;
    best = wait.object;
    most = count;
  }
  return best;
}

void GroupJudgement::add_marks(Verdict& verdict, const Threads& threads) const {
  for (const std::uint32_t i : threads) {
    const ThreadFact& thread = snapshot_.threads[i];
    verdict.marks.push_back({thread.tid, graph_.wait(i)->mark});
    if (graph_.was_looked_at(i)) verdict.held.push_back({thread.tid, thread.state});
  }
}

std::uint64_t GroupJudgement::sites_of(const Verdict& verdict) const {
  std::vector<std::uint64_t> sites;
  for (const VerdictLink& link : verdict.crowd) {
    const CurrentWait& wait = *graph_.wait(link.waiter);
    sites.push_back(mix_site(static_cast<std::uint64_t>(wait.kind), wait.site));
  }
  std::sort(sites.begin(), sites.end());
  sites.erase(std::unique(sites.begin(), sites.end()), sites.end());
  return std::accumulate(sites.begin(), sites.end(),
                         mix_site(17, static_cast<std::uint64_t>(verdict.kind)), mix_site);
}

Verdict GroupJudgement::verdict_over(FindingKind kind, const Threads& threads) {
  Verdict verdict;
  verdict.kind = kind;
  verdict.root_lock = most_awaited(threads);
  add_marks(verdict, threads);
  for (const std::uint32_t i : threads) {
    if (explained_[i]) continue;
    verdict.crowd.push_back(link_of(i));
    verdict.longest_ns = std::max(verdict.longest_ns, graph_.waited_ns(i));
  }
  const auto distance = [&](const VerdictLink& link) {
    if (link.lock == verdict.root_lock && link.lock != 0) return 0;
    return graph_.wait(link.waiter)->for_signal() ? 1 : 2;
  };
  std::stable_sort(
      verdict.crowd.begin(), verdict.crowd.end(),
      [&](const VerdictLink& a, const VerdictLink& b) { return distance(a) < distance(b); });
  verdict.sites = sites_of(verdict);
  return verdict;
}

void GroupJudgement::all() {
  find_explained();
  const bool everybody = everybody_waits();
  if (everybody && nothing_explained_) {
    if (timer_calls_program()) return;
    Threads threads(snapshot_.threads.size());
    std::iota(threads.begin(), threads.end(), 0U);
    // A handler may post: that is what it can do.
    if (!any_posted(threads) || !catches_signals()) {
      verdicts_.push_back(verdict_over(FindingKind::kAllAsleep, threads));
      verdicts_.back().certain = !catches_signals();
      return;
    }
  }
  if (!all_wait_lastingly() && the_others_have_just_begun()) return;
  std::unordered_map<std::uint64_t, std::size_t> alike;  // by sites
  const std::size_t most = verdicts_.size() + kMostGroups;
  const std::vector<Threads> all_groups = groups();
  if (!all_groups.empty() && timer_calls_program()) return;
  for (const Threads& threads : all_groups) {
    if (verdicts_.size() >= most) return;
    if (any_posted(threads) && catches_signals()) continue;
    Verdict verdict = verdict_over(FindingKind::kStuckCondition, threads);
    verdict.certain = everybody && !catches_signals();
    if (++alike[verdict.sites] <= kMostAlike) verdicts_.push_back(std::move(verdict));
  }
}

}  // namespace

void judge_groups(const Snapshot& snapshot, const WaitGraph& graph, LockProbe probe,
                  const ProcessView& process, std::vector<Verdict>& verdicts) {
  if (snapshot.threads.empty()) return;
  GroupJudgement(snapshot, graph, probe, process, verdicts).all();
}

Asleep ask_kernel(const Verdict& verdict, const Snapshot& snapshot, const WaitGraph& graph,
                  SleepProbe sleep) {
  if (sleep == nullptr) return Asleep::kNot;
  const std::size_t members = verdict.crowd.size();
  const std::size_t asked = std::min(members, kMostAsked);
  for (std::size_t i = 0; i < asked; ++i) {
    const std::uint32_t thread = verdict.crowd[i * members / asked].waiter;
    const CurrentWait& wait = *graph.wait(thread);
    if (sleep(snapshot.threads[thread].tid, wait.kind, wait.object) != Sleep::kThere) {
      return Asleep::kNot;
    }
  }
  return asked == members ? Asleep::kAll : Asleep::kSome;
}

}  // namespace impasse
