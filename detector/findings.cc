#include "detector/findings.h"

#include <algorithm>
#include <utility>

namespace impasse {
namespace {

constexpr std::size_t kMostRemembered = 1'024;
// One trouble at several places at once is told so often; more of the same adds nothing.
constexpr unsigned kMostAlike = 3;
constexpr std::size_t kMostSuspects = 16;
constexpr std::uint64_t kSuspiciousNs = 300'000'000;
// Gaps between tellings, in thresholds: then each is twice the one before.
constexpr std::uint64_t kSecondTelling = 5;
constexpr std::uint64_t kThirdTelling = 30;

constexpr std::size_t kMostAsked = 2'048;
constexpr std::size_t kMostAskedOfACircle = 64;

bool earlier(const Mark& a, const Mark& b) {
  return a.tid != b.tid ? a.tid < b.tid : a.value < b.value;
}

bool is_of_circle(FindingKind kind) {
  return kind == FindingKind::kDeadlock || kind == FindingKind::kSelfDeadlock;
}

// Where the kernel does not tell, or the wait is no sleep, what the ledger says is enough.
bool nobody_is_elsewhere(const Verdict& verdict, const Snapshot& snapshot, const WaitGraph& graph,
                         SleepProbe sleep) {
  if (sleep == nullptr) return true;
  const std::size_t asked = std::min(verdict.cycle.size(), kMostAskedOfACircle);
  return std::all_of(verdict.cycle.begin(),
                     verdict.cycle.begin() + static_cast<std::ptrdiff_t>(asked),
                     [&](const VerdictLink& link) {
                       const auto& wait = graph.wait(link.waiter);
                       return !wait || sleep(snapshot.threads[link.waiter].tid, wait->kind,
                                             wait->object) != Sleep::kElsewhere;
                     });
}

// Whether any wait is part of both: it went on all the time. Both are in order.
bool in_common(const std::vector<Mark>& some, const std::vector<Mark>& others) {
  auto one = some.begin();
  auto other = others.begin();
  while (one != some.end() && other != others.end()) {
    if (*one == *other) return true;
    if (earlier(*one, *other)) {
      ++one;
    } else {
      ++other;
    }
  }
  return false;
}

// Whoever was stuck then is stuck still; others may have come to that.
bool contains(const std::vector<Mark>& all, const std::vector<Mark>& some) {
  return std::includes(all.begin(), all.end(), some.begin(), some.end(), earlier);
}

// The same trouble says more now.
bool has_grown(FindingKind from, FindingKind to) {
  return (from == FindingKind::kMisuse && to == FindingKind::kOrphanedLock) ||
         (from == FindingKind::kStuckCondition && to == FindingKind::kAllAsleep);
}

bool same_trouble(const Verdict& verdict, std::uint32_t root_tid, const Finding& finding) {
  // A thread that ended with a lock in its hands was told; now somebody waits for it.
  if (finding.kind == FindingKind::kMisuse && has_grown(finding.kind, verdict.kind)) {
    return finding.root_lock == verdict.root_lock;
  }
  // All sleep, and then somebody new comes: the others are as stuck as they were.
  if (is_of_group(finding.kind) && is_of_group(verdict.kind)) {
    return in_common(verdict.marks, finding.marks);
  }
  if (finding.kind != verdict.kind) return false;
  if (verdict.kind == FindingKind::kLongWait) {
    // Who waits for it may go from root to root as others come and go.
    if (finding.root_lock == verdict.root_lock || in_common(verdict.marks, finding.marks)) {
      return true;
    }
    return root_tid != 0 && finding.root_tid == root_tid && finding.sites == verdict.sites;
  }
  if (verdict.kind == FindingKind::kOrphanedLock) return finding.root_lock == verdict.root_lock;
  // A wait that never ends may be part of several circles, one of which was told.
  return in_common(verdict.marks, finding.marks);
}

// Those who wait along with the one that is told come to be the longest of them in their turn.
void remember_waits(Finding& finding, const Verdict& verdict) {
  finding.marks = verdict.marks;
  finding.marks.insert(finding.marks.end(), verdict.along.begin(), verdict.along.end());
  std::sort(finding.marks.begin(), finding.marks.end(), earlier);
}

// A circle may be met beginning with any of its threads.
void put_in_order(Verdict& verdict) {
  for (auto* marks : {&verdict.marks, &verdict.held}) {
    std::sort(marks->begin(), marks->end(), earlier);
  }
}

}  // namespace

bool Findings::was_there(const Verdict& verdict) const {
  return std::any_of(last_.begin(), last_.end(), [&verdict](const Verdict& before) {
    if (before.kind != verdict.kind) return false;
    // In a queue that moves the one who has waited longest is always another.
    if (verdict.kind == FindingKind::kLongWait) {
      return before.root_lock == verdict.root_lock || before.marks == verdict.marks;
    }
    if (is_of_group(verdict.kind)) {
      return contains(verdict.marks, before.marks) && contains(verdict.held, before.held);
    }
    return before.marks == verdict.marks && before.held == verdict.held &&
           (before.root_lock == verdict.root_lock || verdict.kind == FindingKind::kDeadlock);
  });
}

Finding* Findings::remembered(const Verdict& verdict, std::uint32_t root_tid) {
  for (Finding& finding : told_) {
    if (same_trouble(verdict, root_tid, finding)) return &finding;
  }
  // It ended and came again: the same code, whatever the threads.
  for (Finding& finding : told_) {
    if (!finding.lasts && !finding.seen_now && finding.kind == verdict.kind &&
        finding.sites == verdict.sites) {
      return &finding;
    }
  }
  return nullptr;
}

bool Findings::due(const Finding& finding, std::uint64_t running_ns) {
  return running_ns - finding.running_told_ns >= finding.next_gap_ns;
}

void Findings::begin_next_gap(Finding& finding) const {
  finding.next_gap_ns =
      finding.updates == 0 ? kThirdTelling * thresholds_.wait_ns : 2 * finding.next_gap_ns;
}

void Findings::watch_hands(const Snapshot& snapshot, const WaitGraph& graph) {
  ++looks_;
  suspects_.clear();
  for (const Obstacle& obstacle : graph.obstacles()) {
    const Blocker* const blocker = main_blocker(obstacle);
    if (obstacle.lock == 0 || obstacle.waiters.empty()) continue;
    Hands& hands = hands_[obstacle.lock];
    if (blocker != nullptr && blocker->thread != kNoOne) {
      const std::uint32_t tid = snapshot.threads[blocker->thread].tid;
      const bool seen_before = hands.holder_tid != 0;
      if (seen_before && (hands.holder_tid != tid || hands.since_tick != blocker->since_tick)) {
        ++hands.changes;
      }
      hands.holder_tid = tid;
      const bool waits_itself = graph.before(blocker->thread) != nullptr && !blocker->above_wait;
      if (!waits_itself && suspects_.size() < kMostSuspects &&
          graph.waited_ns(obstacle.waiters.front()) >= kSuspiciousNs) {
        suspects_.push_back(tid);
      }
      hands.since_tick = blocker->since_tick;
    }
    hands.looked_at = looks_;
  }
  std::erase_if(hands_, [this](const auto& one) { return one.second.looked_at != looks_; });
}

void Findings::forget_one() {
  const auto old =
      std::find_if(told_.begin(), told_.end(), [](const Finding& f) { return !f.lasts; });
  told_.erase(old == told_.end() ? told_.begin() : old);
}

bool Findings::has_groups() const {
  return std::any_of(now_.begin(), now_.end(),
                     [](const Verdict& verdict) { return is_of_group(verdict.kind); });
}

bool Findings::too_many_alike(const Verdict& verdict) const {
  const auto alike = std::count_if(told_.begin(), told_.end(), [&verdict](const Finding& f) {
    return f.kind == verdict.kind && f.sites == verdict.sites;
  });
  return alike >= static_cast<std::ptrdiff_t>(kMostAlike);
}

// Whoever was signalled and had no processor since still looks as if it waited; whoever jumped out
// of a signal handler has left a wait that looks as if it lasted.
bool Findings::asleep(Verdict& verdict, const Snapshot& snapshot, const WaitGraph& graph,
                      SleepProbe sleep) {
  if (is_of_circle(verdict.kind)) return nobody_is_elsewhere(verdict, snapshot, graph, sleep);
  if (!is_of_group(verdict.kind)) return true;
  if (most_to_ask_ == 0) return false;
  most_to_ask_ -= std::min(most_to_ask_, verdict.crowd.size());
  const Asleep answer = ask_kernel(verdict, snapshot, graph, sleep);
  if (answer == Asleep::kSome) verdict.certain = false;
  return answer != Asleep::kNot;
}

std::vector<Telling> Findings::look(const Snapshot& snapshot, LockProbe probe, SleepProbe sleep,
                                    const ProcessView& process) {
  const WaitGraph graph(snapshot, probe, sleep);
  watch_hands(snapshot, graph);
  last_ = std::move(now_);
  now_ = judge(snapshot, graph, thresholds_);
  if (thresholds_.conditions) judge_groups(snapshot, graph, probe, process, now_);
  judge_exits(snapshot, probe, now_);
  const std::uint64_t running_ns = snapshot.tick * snapshot.tick_ns;

  unconfirmed_ = false;
  most_to_ask_ = kMostAsked;
  for (Finding& finding : told_) finding.lasts = std::exchange(finding.seen_now, false);
  std::vector<Telling> tellings;
  for (Verdict& verdict : now_) {
    put_in_order(verdict);
    if (!was_there(verdict)) {
      unconfirmed_ = true;
      continue;
    }
    const std::uint32_t root_tid = verdict.root == kNoOne ? 0 : snapshot.threads[verdict.root].tid;
    Finding* finding = remembered(verdict, root_tid);
    const bool is_new = finding == nullptr;
    if (is_new && too_many_alike(verdict)) continue;
    const bool grown = !is_new && has_grown(finding->kind, verdict.kind);
    const bool to_tell = is_new || grown || due(*finding, running_ns);
    if (!to_tell || !asleep(verdict, snapshot, graph, sleep)) {
      if (is_new) continue;
      finding->seen_now = true;
      if (verdict.kind == FindingKind::kLongWait || is_of_group(verdict.kind)) {
        remember_waits(*finding, verdict);
      }
      continue;
    }
    if (is_new) {
      if (told_.size() >= kMostRemembered) forget_one();
      finding = &told_.emplace_back();
      finding->id = next_id_++;
      finding->found_ns = snapshot.now_ns;
      finding->running_told_ns = running_ns;
      finding->next_gap_ns = kSecondTelling * thresholds_.wait_ns;
      finding->sites = verdict.sites;
      finding->kind = verdict.kind;
    } else {
      if (!grown) begin_next_gap(*finding);
      ++finding->updates;
    }
    finding->seen_now = true;
    finding->kind_before = std::exchange(finding->kind, verdict.kind);
    remember_waits(*finding, verdict);
    finding->root_lock = verdict.root_lock;
    finding->root_tid = root_tid;
    Telling telling{finding->id, finding->updates, finding->found_ns, &verdict, {}};
    const auto hands = hands_.find(verdict.root_lock);
    if (verdict.kind == FindingKind::kLongWait && hands != hands_.end()) {
      telling.changed_hands = hands->second.changes;
    }
    tellings.push_back(telling);
  }
  return tellings;
}

void Findings::not_told(std::uint32_t id) {
  for (Finding& finding : told_) {
    if (finding.id != id || finding.kind == finding.kind_before) continue;
    // As what it has grown to be it comes again.
    finding.kind = finding.kind_before;
    --finding.updates;
    return;
  }
  std::erase_if(told_, [id](const Finding& f) { return f.id == id && f.updates == 0; });
}

}  // namespace impasse
