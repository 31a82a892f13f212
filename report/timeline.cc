#include "report/timeline.h"

#include <algorithm>
#include <tuple>
#include <unordered_set>

#include "report/ages.h"
#include "report/cycle_words.h"
#include "report/ink.h"
#include "report/order_phrases.h"
#include "report/signal_words.h"

namespace impasse::report {
namespace {

constexpr std::size_t kFirstShown = 9;
constexpr std::size_t kLastShown = 6;
constexpr std::size_t kWeightyShown = 16;   // in between
constexpr std::size_t kSignallersTold = 4;  // of one object
constexpr std::size_t kWeightyThreads = 8;  // of a larger circle none matters more than others

struct Event {
  std::uint64_t ns = 0;
  bool about = false;
  int rank = 0;          // of two at the same time
  bool weighty = false;  // shown however many there are
  std::string who;
  std::string what;
  std::string where;
  std::uint64_t stamp = 0;  // of two in the same tenth of a second
};

class Timeline {
 public:
  explicit Timeline(const Phrases& say) : say_(say), report_(say.report()) {}

  std::vector<std::string> all(std::size_t width);

 private:
  void gather();
  void thread(std::uint32_t index);
  std::uint64_t taken(std::uint32_t index, const Hold& hold) const;
  void broken_rule();
  // Of what is known to a tenth of a second: that tenth's beginning, as it is shown.
  std::uint64_t tenth(std::uint64_t ns) const;
  void hold(std::uint32_t index, const Hold& hold);
  void wait(std::uint32_t index, const Wait& wait);
  void signals();
  void orders();
  void threshold();
  // The root, or one of a circle that is no crowd itself.
  bool weighs(std::uint32_t thread) const;
  std::string time(const Event& event) const;
  std::vector<bool> shown() const;
  std::vector<std::string> lines(std::size_t width) const;

  const Phrases& say_;
  const Report& report_;
  std::vector<std::uint32_t> threads_;
  std::unordered_set<std::uint32_t> locks_;  // that somebody in the finding waits for
  std::vector<Event> events_;
  bool dated_ = false;  // not all of one day
};

void Timeline::gather() {
  const Finding& finding = report_.finding;
  std::unordered_set<std::uint32_t> seen;
  const auto add = [&](std::uint32_t index) {
    if (say_.thread_at(index) != nullptr && seen.insert(index).second) threads_.push_back(index);
  };
  add(finding.root);
  for (const auto* links : {&finding.cycle, &finding.crowd}) {
    for (const Link& link : *links) {
      add(link.waiter);
      add(link.blocker);
      if (link.lock != kNobody) locks_.insert(link.lock);
    }
  }
  if (finding.root_lock != kNobody) locks_.insert(finding.root_lock);
  if (finding.kind != FindingKind::kMisuse) return;
  for (std::uint32_t i = 0; i < report_.threads.size(); ++i) {
    if (say_.hold_of(i, finding.root_lock) != nullptr) add(i);
  }
}

void Timeline::thread(std::uint32_t index) {
  const Thread& thread = *say_.thread_at(index);
  for (const Hold& one : thread.holds) hold(index, one);
  if (thread.wait) wait(index, *thread.wait);
  if (thread.ended_ns == 0) return;
  const bool left = thread.activity.kind == system::ActivityKind::kLeftBehind;
  events_.push_back({thread.ended_ns, false, 2, true, left ? "" : say_.who(index),
                     left ? "this process was forked, without " + say_.thread(index)
                          : "ended and did not give it back",
                     ""});
}

std::uint64_t Timeline::tenth(std::uint64_t ns) const {
  const std::uint64_t beyond = report_.moment.wall_of(ns) % kStampStepNs;
  return ns > beyond ? ns - beyond : ns;
}

// The stamp is coarse, what the thread did next may be known exactly: the hold was before it,
// unless it lies so far behind that a handler must have taken the lock within the wait.
std::uint64_t Timeline::taken(std::uint32_t index, const Hold& hold) const {
  const Thread& thread = *say_.thread_at(index);
  std::uint64_t ns = tenth(hold.since_ns);
  const auto before = [&](std::uint64_t next, bool about) {
    if (next == 0 || hold.since_ns > next + 2 * kStampStepNs) return;
    ns = std::min(ns, tenth(next) == next || about ? tenth(next) : next);
  };
  if (thread.wait) before(thread.wait->since_ns, thread.wait->since_about);
  before(thread.ended_ns, false);
  if (index == report_.finding.root && report_.finding.call.pc != 0) {
    before(report_.finding.found_ns, false);
  }
  return ns;
}

void Timeline::hold(std::uint32_t index, const Hold& hold) {
  if (hold.since_ns == 0 || !locks_.contains(hold.lock) || hold.phase != hold_phase::kHeld) return;
  const std::string mode = say_.mode(hold, hold.lock);
  events_.push_back({taken(index, hold), true, 0, weighs(index), say_.who(index),
                     "took " + say_.lock(hold.lock) + (mode.empty() ? "" : ", " + mode),
                     say_.hold_place(*say_.thread_at(index), hold)});
}

void Timeline::wait(std::uint32_t index, const Wait& wait) {
  if (wait.since_ns == 0) return;
  std::string what = "began to wait for ";
  if (wait.kind == WaitKind::kJoin) {
    what += wait.thread == kNobody ? "a thread to end" : "the end of " + say_.who(wait.thread);
  } else if (wait.kind == WaitKind::kCondition) {
    what = "began to wait on " + say_.awaited(wait);
  } else if (wait.kind == WaitKind::kBarrier) {
    what = "began to wait at " + say_.awaited(wait);
  } else {
    what += say_.awaited(wait);
    if (wait.kind == WaitKind::kRead) what += ", shared";
    if (wait.kind == WaitKind::kWrite) what += ", exclusive";
  }
  const std::uint64_t since = wait.since_about ? tenth(wait.since_ns) : wait.since_ns;
  events_.push_back({since, wait.since_about, 1, weighs(index), say_.who(index), std::move(what),
                     say_.wait_place(*say_.thread_at(index))});
}

// The last of each thread that woke who waits for what the finding is about.
void Timeline::signals() {
  for (std::uint32_t i = 0; i < report_.locks.size(); ++i) {
    if (!locks_.contains(i)) continue;
    const Lock& lock = report_.locks[i];
    std::unordered_set<std::uint32_t> told;
    std::unordered_set<std::uint32_t> untold;
    std::uint64_t oldest = 0;
    for (const Signaller& one : lock.signallers) {
      if (one.last_ns == 0 || told.contains(one.tid)) continue;
      if (told.size() == kSignallersTold) {
        untold.insert(one.tid);
        continue;
      }
      told.insert(one.tid);
      oldest = tenth(one.last_ns);
      events_.push_back({oldest, true, 0, false, signaller_name(say_, one),
                         std::string(signal_verb(one.how)) + " " + say_.lock(i) +
                             (one.count > 1 ? " for the last time" : ""),
                         say_.call_place(one.site), one.last_ns});
    }
    if (untold.empty()) continue;
    events_.push_back({oldest, true, -1, false, "",
                       "until then " + counted(untold.size(), "more thread", "more threads") + " " +
                           std::string(signal_verb(lock.kind)) + " " + say_.lock(i),
                       ""});
  }
}

// What the finding's thread did, in its one call.
void Timeline::broken_rule() {
  const Finding& finding = report_.finding;
  const Thread* const root = say_.thread_at(finding.root);
  if (finding.call.pc == 0 || finding.found_ns == 0 || root == nullptr) return;
  const std::string lock = say_.lock(finding.root_lock);
  std::string what;
  if (is_refused(report_)) {
    what = std::string(refused_wish(say_)) + " " + lock + " again, and was refused";
  } else if (finding.misuse == MisuseKind::kDestroyWhileHeld) {
    what = "destroyed " + lock;
  } else if (finding.misuse == MisuseKind::kUnlockByOther ||
             finding.misuse == MisuseKind::kUnlockOfFree) {
    what = "unlocked " + lock;
  } else {
    return;
  }
  events_.push_back({finding.found_ns, false, 1, true, say_.who(finding.root), std::move(what),
                     say_.call_place(*root, finding.call)});
}

void Timeline::orders() {
  const OrderPhrases words(say_);
  const bool weighty = words.orders().size() <= kWeightyThreads;
  for (const Order& order : words.orders()) {
    if (order.first_ns != 0) {
      const std::string what = order.again      ? "waited on a condition"
                               : order.to_timed ? "asked for " + words.to(order)
                                                : "took " + words.to(order);
      events_.push_back({order.first_ns, false, 0, weighty, words.who(order),
                         what + ", holding " + (order.from == order.to ? "it" : words.from(order)),
                         words.to_place(order)});
    }
    if (order.last_ns > order.first_ns) {
      events_.push_back(
          {order.last_ns, false, 1, false, "",
           "newest sight of " + words.lock(order.from) + " and then " + words.lock(order.to), ""});
    }
  }
}

// The longest wait of the crowd is what passed it.
void Timeline::threshold() {
  const Finding& finding = report_.finding;
  if (finding.kind == FindingKind::kDeadlock || finding.kind == FindingKind::kSelfDeadlock ||
      finding.kind == FindingKind::kOrphanedLock || is_stuck_group(finding.kind)) {
    if (finding.found_ns != 0 && !is_refused(report_)) {
      events_.push_back({finding.found_ns, false, 3, true, "", "impasse confirmed it", ""});
    }
    return;
  }
  if (finding.kind == FindingKind::kLockOrder && finding.found_ns != 0) {
    events_.push_back({finding.found_ns, false, 3, true, "", "impasse saw the circle", ""});
  }
  if (finding.kind != FindingKind::kLongWait || finding.threshold_ns == 0) return;
  std::uint64_t first = 0;
  for (const Link& link : finding.crowd) {
    const Thread* const thread = say_.thread_at(link.waiter);
    if (thread == nullptr || !thread->wait || thread->wait->since_ns == 0) continue;
    if (link.waiter == finding.root) continue;
    if (first == 0 || thread->wait->since_ns < first) first = thread->wait->since_ns;
  }
  const std::uint64_t passed = first + finding.threshold_ns;
  if (first == 0 || passed > report_.moment.monotonic_ns) return;
  events_.push_back(
      {passed, false, 3, true, "",
       "the first wait passed the threshold of " + spoken_duration(finding.threshold_ns), ""});
}

std::string Timeline::time(const Event& event) const {
  std::string text = wall_time(report_.moment.wall_of(event.ns));
  if (text.size() < 23) return text;
  text = dated_ ? text.substr(5, 18) : text.substr(11, 12);
  // What is known to a tenth only shows no more than that.
  if (event.about) text.replace(text.size() - 2, 2, "  ");
  return text;
}

bool Timeline::weighs(std::uint32_t thread) const {
  const auto& cycle = report_.finding.cycle;
  if (thread == report_.finding.root) return true;
  return cycle.size() <= kWeightyThreads &&
         std::any_of(cycle.begin(), cycle.end(),
                     [thread](const Link& link) { return link.waiter == thread; });
}

// All, or the first, the last, and those in between that matter more than others.
std::vector<bool> Timeline::shown() const {
  const std::size_t n = events_.size();
  std::vector<bool> shown(n, n <= kTimelineLines);
  std::size_t weighty = 0;
  for (std::size_t i = 0; i < n; ++i) {
    if (i < kFirstShown || i + kLastShown >= n) shown[i] = true;
    if (!shown[i] && events_[i].weighty && weighty++ < kWeightyShown) shown[i] = true;
  }
  return shown;
}

std::vector<std::string> Timeline::lines(std::size_t width) const {
  const std::vector<bool> shown = this->shown();
  std::size_t who_width = 0;
  std::size_t what_width = 0;
  for (std::size_t i = 0; i < events_.size(); ++i) {
    if (!shown[i] || events_[i].who.empty()) continue;
    who_width = std::max(who_width, columns(events_[i].who));
    if (events_[i].where.empty()) continue;
    what_width = std::max(what_width, std::min(columns(events_[i].what), width));
  }
  std::vector<std::string> lines;
  std::size_t left_out = 0;
  for (std::size_t i = 0; i < events_.size(); ++i) {
    if (!shown[i]) {
      ++left_out;
      continue;
    }
    if (left_out != 0) lines.push_back("    …          " + with_commas(left_out) + " more");
    left_out = 0;
    const Event& event = events_[i];
    std::string line = time(event) + "   ";
    if (!event.who.empty()) line += padded(event.who, who_width) + "   ";
    line += event.where.empty() ? event.what : padded(event.what, what_width) + "   " + event.where;
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<std::string> Timeline::all(std::size_t width) {
  gather();
  for (const std::uint32_t index : threads_) thread(index);
  signals();
  broken_rule();
  orders();
  threshold();
  if (events_.empty()) return {};
  std::stable_sort(events_.begin(), events_.end(), [](const Event& a, const Event& b) {
    return std::tie(a.ns, a.rank, a.stamp) < std::tie(b.ns, b.rank, b.stamp);
  });
  const auto day = [this](const Event& event) {
    return wall_time(report_.moment.wall_of(event.ns)).substr(0, 10);
  };
  dated_ = day(events_.front()) != day(events_.back());
  return lines(width);
}

}  // namespace

std::vector<std::string> timeline(const Phrases& say, std::size_t width) {
  return Timeline(say).all(width);
}

}  // namespace impasse::report
