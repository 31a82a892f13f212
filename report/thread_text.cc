#include "report/thread_text.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "report/ages.h"
#include "report/frame_text.h"
#include "report/ink.h"
#include "report/signal_words.h"
#include "report/thread_groups.h"
#include "report/words.h"

namespace impasse::report {
namespace {

constexpr std::size_t kBytesOfInvolved = 28 << 10;
constexpr std::size_t kBytesOfOthers = 16 << 10;
constexpr std::size_t kBytesOfDump = 1 << 20;
constexpr std::size_t kLinesBeyond = 12;  // groups that are told without a stack
constexpr std::size_t kHeadColumns = 110;
constexpr std::size_t kNamedInGroup = 8;  // threads
constexpr std::size_t kHoldsShown = 16;
constexpr std::size_t kHoldersShown = 4;

class Writer {
 public:
  explicit Writer(const Phrases& say) : say_(say), report_(say.report()) {}

  std::string all();

 private:
  void split();
  void section(const std::vector<ThreadGroup>& groups, std::size_t budget);
  std::string group(const ThreadGroup& group) const;
  std::string head(const ThreadGroup& group) const;
  std::string state(const ThreadGroup& group) const;
  std::string detail(const ThreadGroup& group) const;
  std::string of_when(const ThreadGroup& group) const;
  std::string wait(const ThreadGroup& group) const;
  std::string wait_object(const ThreadGroup& group) const;
  std::string holders(const ThreadGroup& group) const;
  std::string woken(const ThreadGroup& group) const;
  std::string holds(const ThreadGroup& group) const;
  std::string hold(const ThreadGroup& group, std::size_t which) const;
  std::string times(const ThreadGroup& group) const;
  const Thread& first(const ThreadGroup& group) const {
    return report_.threads[group.threads.front()];
  }

  const Phrases& say_;
  const Report& report_;
  std::vector<std::uint32_t> circle_;
  std::vector<std::uint32_t> involved_;  // but for these
  std::vector<std::uint32_t> others_;
  std::vector<std::uint32_t> ours_;
  std::unordered_map<std::uint32_t, const Link*> links_;                   // by waiter
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> holders_;  // by lock
  std::string out_;
};

// The circle first, or the root; then those nearest to it.
void Writer::split() {
  const Finding& finding = report_.finding;
  std::unordered_set<std::uint32_t> seen;
  const auto add = [&](std::uint32_t index) {
    if (index < report_.threads.size() && seen.insert(index).second) involved_.push_back(index);
  };
  for (const Link& link : finding.cycle) {
    links_.emplace(link.waiter, &link);
    const bool known = link.waiter < report_.threads.size();
    if (known && seen.insert(link.waiter).second) circle_.push_back(link.waiter);
  }
  add(finding.root);
  for (const Link& link : finding.crowd) {
    links_.emplace(link.waiter, &link);
    add(link.blocker);
    add(link.waiter);
  }
  const bool misuse = finding.kind == FindingKind::kMisuse;
  for (std::uint32_t i = 0; i < report_.threads.size(); ++i) {
    const bool holds = misuse && say_.hold_of(i, finding.root_lock) != nullptr;
    if (report_.threads[i].involved || holds) add(i);
  }
  for (std::uint32_t i = 0; i < report_.threads.size(); ++i) {
    if (seen.contains(i)) continue;
    (report_.threads[i].ours ? ours_ : others_).push_back(i);
  }
  for (std::uint32_t i = 0; i < report_.threads.size(); ++i) {
    for (const Hold& hold : report_.threads[i].holds) {
      if (hold.phase == hold_phase::kHeld) holders_[hold.lock].push_back(i);
    }
  }
}

std::string Writer::all() {
  split();
  // Of a circle each thread for itself; of a crowd those that are alike together, of a stuck group
  // those that wait for the same.
  std::vector<ThreadGroup> in_it = group_threads(say_, circle_, true);
  const bool stuck = is_stuck_group(report_.finding.kind);
  for (ThreadGroup& group : group_threads(say_, involved_, stuck)) {
    in_it.push_back(std::move(group));
  }
  if (!in_it.empty()) {
    out_ += "\n" + bold("THREADS IN IT") + "\n";
    section(in_it, kBytesOfInvolved);
  }
  const bool dump = report_.finding.kind == FindingKind::kDump;
  const bool order = report_.finding.kind == FindingKind::kLockOrder;
  std::vector<ThreadGroup> groups = group_threads(say_, others_, false);
  if (!others_.empty()) {
    std::string title = dump || (order && in_it.empty()) ? "ALL THREADS: " : "ALL OTHER THREADS: ";
    title += with_commas(others_.size());
    if (groups.size() < others_.size()) {
      title += ", in " + counted(groups.size(), "group", "groups");
    }
    out_ += "\n" + bold(title) + "\n";
    section(groups, dump ? kBytesOfDump : kBytesOfOthers);
  } else if (!dump && !(order && in_it.empty())) {
    out_ += "\n" + bold("NO OTHER THREADS") + "\n";
  }
  if (!ours_.empty()) {
    out_ += "\nimpasse's own: ";
    for (std::size_t i = 0; i < ours_.size() && i < kNamedInGroup; ++i) {
      out_ += (i == 0 ? "" : ", ") + say_.who(ours_[i]);
    }
    out_ += "\n";
  }
  if (report_.threads_not_looked_at != 0) {
    out_ += "\n" + counted(report_.threads_not_looked_at, "more thread was", "more threads were") +
            " not looked at: the process has more than a report keeps\n";
  }
  return std::move(out_);
}

void Writer::section(const std::vector<ThreadGroup>& groups, std::size_t budget) {
  const std::size_t start = out_.size();
  std::size_t beyond = 0;
  std::size_t untold_groups = 0;
  std::size_t untold_threads = 0;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    // What stands first is what the report is about: it is shown whatever it takes.
    const std::string text = beyond == 0 ? group(groups[i]) : "";
    const bool fits = beyond == 0 && out_.size() - start + text.size() <= budget;
    if (i == 0 || fits) {
      out_ += (i == 0 ? "" : "\n") + text;
    } else if (beyond < kLinesBeyond) {
      out_ += (beyond == 0 ? "\n" : "") + head(groups[i]) + " (stack: in the JSON form)\n";
      ++beyond;
    } else {
      ++untold_groups;
      untold_threads += groups[i].threads.size();
    }
  }
  if (untold_groups == 0) return;
  out_ += "… " + counted(untold_threads, "more thread", "more threads") + " in " +
          counted(untold_groups, "group", "groups") + ": in the JSON form\n";
}

std::string Writer::group(const ThreadGroup& group) const {
  std::string text = bold(head(group)) + "\n" + detail(group) + of_when(group) +
                     stack_text(say_, say_.report().stack_of(first(group))) + wait(group) +
                     holds(group);
  return text;
}

// ---- `thread 25188 "sync-2" [pthread_rwlock_rdlock, 5 minutes]:`

std::string Writer::head(const ThreadGroup& group) const {
  const std::string bracket = " [" + state(group) + "]:";
  const auto& threads = group.threads;
  if (threads.size() == 1) return say_.thread(threads.front()) + bracket;
  std::string text = with_commas(threads.size()) + " threads" + bracket;
  std::size_t named = 0;
  for (; named < threads.size() && named < kNamedInGroup; ++named) {
    const std::string next = (named == 0 ? " " : ", ") + say_.who(threads[named]);
    if (named > 1 && columns(text) + columns(next) > kHeadColumns) break;
    text += next;
  }
  if (threads.size() > named) text += ", … " + with_commas(threads.size() - named) + " more";
  return text;
}

// "12 seconds to 5 minutes"
std::string Writer::times(const ThreadGroup& group) const {
  const AgeRange range = age_range(say_, group);
  if (!range.longest) return "";
  const std::string longest = spoken_duration(*range.longest);
  const std::string shortest = spoken_duration(*range.shortest);
  return ", " + (shortest == longest ? longest : shortest + " to " + longest);
}

std::string Writer::state(const ThreadGroup& group) const {
  const Thread& thread = first(group);
  const system::Activity& now = thread.activity;
  if (thread.wait) {
    std::string text(wait_function(thread.wait->kind));
    if (thread.wait->timed) text += " with a time limit";
    return text + times(group);
  }
  switch (now.kind) {
    case system::ActivityKind::kInWait:
      return "waiting";
    case system::ActivityKind::kInSystemCall:
      return (now.call.empty() ? "in a system call" : cut(printable(now.call), 60)) +
             (now.uninterruptible ? ", uninterruptible" : "") + times(group);
    case system::ActivityKind::kInKernel:
      return "asleep in the kernel" +
             (now.kernel_function.empty() ? "" : ": " + cut(printable(now.kernel_function), 60)) +
             (now.uninterruptible ? ", uninterruptible" : "") + times(group);
    case system::ActivityKind::kRunning:
      return "running";
    case system::ActivityKind::kStopped:
      return now.state == 't' ? "stopped by a debugger" : "stopped";
    case system::ActivityKind::kGone:
      return "ended";
    case system::ActivityKind::kLeftBehind:
      return "of the parent process";
    case system::ActivityKind::kStarting:
      return "being created";
    case system::ActivityKind::kUnknown:
      break;
  }
  return now.trouble.empty() ? "state not known"
                             : "state not known: " + cut(printable(now.trouble), 200);
}

// What the thread's system call is about, which the bracket has no room for.
std::string Writer::detail(const ThreadGroup& group) const {
  const Thread& thread = first(group);
  const std::string& words = thread.activity.detail;
  if (thread.wait || words.empty()) return "";
  const bool same = std::all_of(group.threads.begin(), group.threads.end(), [&](std::uint32_t i) {
    return report_.threads[i].activity.detail == words;
  });
  return (words.starts_with("fd ") ? "  on " : "  ") + cut(printable(words), 300) +
         (same ? "" : ", and the like") + "\n";
}

// Who broke a rule does something else by now.
std::string Writer::of_when(const ThreadGroup& group) const {
  const Finding& finding = report_.finding;
  const bool broke_it =
      finding.call.pc != 0 &&
      std::find(group.threads.begin(), group.threads.end(), finding.root) != group.threads.end();
  return broke_it ? "  this is the stack of its call, which has returned\n" : "";
}

// ---- what it waits for

std::string Writer::wait_object(const ThreadGroup& group) const {
  const Wait& wait = *first(group).wait;
  std::unordered_set<std::uint64_t> objects;
  for (const std::uint32_t i : group.threads) objects.insert(report_.threads[i].wait->object);
  if (objects.size() > 1) {
    switch (wait.kind) {
      case WaitKind::kCondition:
        return "wait on " + with_commas(objects.size()) + " conditions";
      case WaitKind::kSemaphore:
        return "wait for " + with_commas(objects.size()) + " semaphores";
      case WaitKind::kBarrier:
        return "wait at " + with_commas(objects.size()) + " barriers";
      case WaitKind::kJoin:
        return "wait for the end of " + with_commas(objects.size()) + " threads";
      default:
        return "wait for " + with_commas(objects.size()) + " different locks";
    }
  }
  const std::string s = group.threads.size() == 1 ? "s" : "";
  const std::string on = say_.awaited_in_full(wait);
  switch (wait.kind) {
    case WaitKind::kCondition:
      return "wait" + s + " on " + on +
             (wait.mutex == kNobody ? "" : ", having given back " + say_.lock_in_full(wait.mutex));
    case WaitKind::kSemaphore:
      return "wait" + s + " for " + on;
    case WaitKind::kBarrier:
      return "wait" + s + " at " + on;
    case WaitKind::kOnce:
      return "wait" + s + " for another thread to end the initializer of " + on;
    case WaitKind::kJoin:
      return "wait" + s + " for the end of " +
             (wait.thread == kNobody ? "a thread that is not known" : say_.thread(wait.thread));
    case WaitKind::kRead:
      return "want" + s + " to read " + on;
    case WaitKind::kWrite:
      return "want" + s + " to write " + on;
    default:
      return "want" + s + " " + on;
  }
}

// Whom they wait for: by the finding, or whoever holds it.
std::string Writer::holders(const ThreadGroup& group) const {
  if (const auto link = links_.find(group.threads.front());
      link != links_.end() && link->second->reason == LinkReason::kWaitingWriter) {
    return ", behind the waiting writer " + say_.who(link->second->blocker);
  }
  std::vector<std::uint32_t> holders;
  std::unordered_set<std::uint32_t> locks;
  for (const std::uint32_t i : group.threads) {
    const std::uint32_t lock = report_.threads[i].wait->lock;
    const auto held = holders_.find(lock);
    if (held == holders_.end() || !locks.insert(lock).second) continue;
    holders.insert(holders.end(), held->second.begin(), held->second.end());
  }
  std::string text;
  for (std::size_t i = 0; i < holders.size() && i < kHoldersShown; ++i) {
    const bool itself = group.threads.size() == 1 && holders[i] == group.threads.front();
    text += (i == 0 ? ", held by " : ", ") + (itself ? "itself" : say_.who(holders[i]));
  }
  if (holders.size() > kHoldersShown) {
    text += " and " + with_commas(holders.size() - kHoldersShown) + " more";
  }
  return text;
}

std::string Writer::wait(const ThreadGroup& group) const {
  const Thread& thread = first(group);
  if (!thread.wait) return "";
  std::string text = "  " + wait_object(group);
  if (group.threads.size() == 1) {
    const std::string age = say_.wait_age(*thread.wait);
    if (!age.empty()) text += ", for " + age;
  }
  text += ", asked at " + say_.wait_place(thread);
  if (thread.wait->in_signal_handler) text += ", in a signal handler";
  if (waits_for_lock(thread.wait->kind)) text += holders(group);
  return text + "\n" + woken(group);
}

// Of a condition or a semaphore: who woke its waiters last.
std::string Writer::woken(const ThreadGroup& group) const {
  std::unordered_set<std::uint32_t> objects;
  for (const std::uint32_t i : group.threads) objects.insert(report_.threads[i].wait->lock);
  if (objects.size() != 1) return "";
  const std::string last = last_signal(say_, *objects.begin());
  return last.empty() ? "" : "  " + last + "\n";
}

// ---- what it holds

std::string Writer::hold(const ThreadGroup& group, std::size_t which) const {
  const Thread& thread = first(group);
  const Hold& hold = thread.holds[which];
  const bool one = group.threads.size() == 1;
  std::unordered_set<std::uint32_t> locks;
  for (const std::uint32_t i : group.threads) locks.insert(report_.threads[i].holds[which].lock);
  std::string text = one ? "  " : "  each ";
  const bool given_back = hold.phase == hold_phase::kGivenBack;
  text += given_back ? "gave back " : hold.phase == hold_phase::kAcquiring ? "asks for " : "holds ";
  text += locks.size() == 1 ? say_.lock_in_full(hold.lock)
                            : "one of " + with_commas(locks.size()) + " locks like " +
                                  say_.lock_in_full(hold.lock);
  const std::string mode = say_.mode(hold, hold.lock);
  if (!mode.empty()) text += ", " + mode;
  if (given_back) text += " for the time of its wait";
  const std::string age = say_.hold_age(hold);
  if (one && !age.empty() && !given_back) text += ", for " + age;
  return text + ", taken at " + say_.hold_place(thread, hold) + "\n";
}

std::string Writer::holds(const ThreadGroup& group) const {
  const Thread& thread = first(group);
  std::string text;
  for (std::size_t i = 0; i < thread.holds.size(); ++i) {
    if (i == kHoldsShown) {
      text += "  … " + counted(thread.holds.size() - i, "more hold", "more holds") + "\n";
      break;
    }
    text += hold(group, i);
  }
  return text;
}

}  // namespace

std::string thread_sections(const Phrases& say) {
  return Writer(say).all();
}

}  // namespace impasse::report
