// The tree of those who wait behind a finding. Each layer is a set of threads: whoever waits in the
// same way at the same place, behind the same threads, is one line, so that forty threads in three
// layers stay a picture.
#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "report/ages.h"
#include "report/ink.h"
#include "report/picture.h"
#include "report/thread_groups.h"
#include "report/words.h"

namespace impasse::report {
namespace {

using Lines = std::vector<std::string>;
using Threads = std::vector<std::uint32_t>;

constexpr std::size_t kLayers = 10;       // shown; deeper ones are counted
constexpr std::size_t kGroupsShown = 12;  // of one layer, below one lock
constexpr std::size_t kHeadsShown = 64;
constexpr std::size_t kEdgesShown = 8;    // locks of one thread, or of one group
constexpr std::size_t kNamedInGroup = 4;  // threads
constexpr std::size_t kLinesShown = 120;  // in all

class Tree {
 public:
  Tree(const Phrases& say, std::size_t width) : say_(say), width_(width) {
    for (const Link& link : say.report().finding.crowd) {
      if (say.thread_at(link.waiter) == nullptr || !waiters_.insert(link.waiter).second) continue;
      behind_[say.thread_at(link.blocker) == nullptr ? kNobody : link.blocker].push_back(&link);
    }
  }

  Lines all();

 private:
  // What some threads have in common that others wait behind: one lock, or locks of one kind that
  // were taken at one place.
  struct Edge {
    LinkReason reason = LinkReason::kHolder;
    Threads locks;    // different ones
    Threads holders;  // those of the threads above that have waiters
    Threads waiters;
  };
  struct Group {
    Threads threads;  // longest wait first
    std::string place;
    std::string apart;  // what tells it from another group at the same place
  };

  Threads heads() const;
  void below(const Threads& blockers, const std::string& indent, std::size_t layer);
  std::vector<Edge> edges(const Threads& blockers) const;
  std::string edge_words(const Edge& edge) const;
  std::vector<Group> groups(const Edge& edge) const;
  std::vector<Group> by_place(const Threads& waiters) const;
  void tell_apart(std::vector<Group>& groups) const;
  void draw(const std::vector<Group>& groups, const std::string& indent, std::size_t layer);
  struct Widths {
    std::size_t age = 0;
    std::size_t place = 0;
  };
  std::string group_line(const Group& group, const Widths& widths, std::size_t room) const;
  std::string named(const Threads& threads, std::size_t room) const;
  std::string ages(const Threads& threads) const;
  std::size_t count_below(const Threads& threads) const;
  bool has_waiters(std::uint32_t thread) const { return behind_.contains(thread); }
  const Thread& thread(std::uint32_t index) const { return *say_.thread_at(index); }
  const std::vector<symbolize::Frame>& frames(const Group& group) const {
    return say_.report().stack_of(thread(group.threads.front())).frames;
  }

  const Phrases& say_;
  std::size_t width_;
  // Each waiter stands behind one blocker: what is drawn is a forest.
  std::unordered_set<std::uint32_t> waiters_;
  std::unordered_map<std::uint32_t, std::vector<const Link*>> behind_;  // by blocker
  std::unordered_set<std::uint32_t> drawn_;  // with those behind them: a way round comes back
  Lines lines_;
};

Lines Tree::all() {
  const Finding& finding = say_.report().finding;
  if (const auto unknown = behind_.find(kNobody); unknown != behind_.end()) {
    lines_.push_back(say_.lock_in_full(unknown->second.front()->lock) +
                     "   held by nobody that is known");
    Edge edge;
    for (const Link* link : unknown->second) edge.waiters.push_back(link->waiter);
    draw(groups(edge), "  ", 1);
  }
  const Threads roots = heads();
  for (const std::uint32_t root : roots) {
    std::string head = bold(say_.who(root));
    if (finding.cycle.empty()) {
      const std::string end = root == finding.root ? "   " + red("◀ root") : "";
      const std::size_t used = columns(head) + columns(end) + 3;
      head += "   " + cut(say_.doing_what(thread(root)), width_ > used ? width_ - used : 20) + end;
    }
    lines_.push_back(std::move(head));
    below({root}, "  ", 1);
  }
  if (lines_.size() > kLinesShown) {
    const std::size_t left = lines_.size() - kLinesShown;
    lines_.resize(kLinesShown);
    lines_.push_back("… " + counted(left, "more line", "more lines") +
                     ": the threads below have them all");
  }
  return std::move(lines_);
}

// Whom the others wait for in the end: the circle, the root, and whoever else holds what is waited
// for.
Threads Tree::heads() const {
  const Finding& finding = say_.report().finding;
  Threads heads;
  const auto add = [&](std::uint32_t thread) {
    const bool known = std::find(heads.begin(), heads.end(), thread) != heads.end();
    if (!known && has_waiters(thread) && heads.size() < kHeadsShown) heads.push_back(thread);
  };
  for (const Link& link : finding.cycle) add(link.waiter);
  if (heads.empty() && say_.thread_at(finding.root) != nullptr) add(finding.root);
  for (const Link& link : finding.crowd) {
    if (say_.thread_at(link.blocker) != nullptr && !waiters_.contains(link.blocker)) {
      add(link.blocker);
    }
  }
  return heads;
}

std::vector<Tree::Edge> Tree::edges(const Threads& blockers) const {
  std::map<std::pair<std::uint64_t, std::uint64_t>, Edge> found;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> order;
  const bool one = blockers.size() == 1;
  for (const std::uint32_t blocker : blockers) {
    const auto links = behind_.find(blocker);
    if (links == behind_.end()) continue;
    for (const Link* link : links->second) {
      // Of one thread lock by lock; of several what they took at the same place.
      std::uint64_t what = link->lock;
      if (!one && link->reason == LinkReason::kHolder) {
        const Hold* const hold = say_.hold_of(blocker, link->lock);
        what = hold == nullptr ? ~std::uint64_t{0} : hold->site.pc;
      }
      const auto key = std::make_pair(static_cast<std::uint64_t>(link->reason), what);
      const auto [place, is_new] = found.try_emplace(key);
      if (is_new) order.push_back(key);
      Edge& edge = place->second;
      edge.reason = link->reason;
      const auto note = [](Threads& list, std::uint32_t value) {
        if (list.empty() || list.back() != value) list.push_back(value);
      };
      note(edge.locks, link->lock);
      note(edge.holders, blocker);
      edge.waiters.push_back(link->waiter);
    }
  }
  std::vector<Edge> all;
  for (const auto& key : order) {
    Edge edge = std::move(found[key]);
    std::sort(edge.locks.begin(), edge.locks.end());
    edge.locks.erase(std::unique(edge.locks.begin(), edge.locks.end()), edge.locks.end());
    all.push_back(std::move(edge));
  }
  return all;
}

std::string Tree::edge_words(const Edge& edge) const {
  const bool many = edge.holders.size() > 1;
  if (edge.reason == LinkReason::kJoin) return many ? "are to end" : "is to end";
  std::string lock = edge.locks.size() == 1
                         ? say_.lock(edge.locks.front())
                         : say_.lock(edge.locks.front()) + " and " +
                               std::to_string(edge.locks.size() - 1) + " more like it";
  const std::uint32_t first = edge.holders.front();
  if (edge.reason == LinkReason::kSignaller) return "used to signal " + lock;
  if (edge.reason == LinkReason::kWaitingWriter) {
    return std::string(many ? "wait" : "waits") + " to write " + lock +
           ", and no new reader may pass";
  }
  std::string text = many ? "hold " : edge.reason == LinkReason::kGone ? "still held " : "holds ";
  text += lock;
  const Hold* const hold = say_.hold_of(first, edge.locks.front());
  if (hold == nullptr) return text;
  const std::string mode = say_.mode(*hold, edge.locks.front());
  if (!mode.empty()) text += ", " + mode;
  if (!many) {
    const std::string age = say_.hold_age(*hold);
    if (!age.empty() && edge.reason != LinkReason::kGone) text += ", for " + age;
  }
  return text + ", taken at " + say_.hold_place(thread(first), *hold);
}

void Tree::below(const Threads& blockers, const std::string& indent, std::size_t layer) {
  std::vector<Edge> all = edges(blockers);
  if (all.empty()) return;
  drawn_.insert(blockers.begin(), blockers.end());
  if (layer > kLayers) {
    lines_.push_back(indent + "└─ … " +
                     counted(count_below(blockers), "more thread", "more threads") +
                     " in deeper layers");
    return;
  }
  const std::size_t shown = std::min(all.size(), kEdgesShown);
  for (std::size_t i = 0; i < shown; ++i) {
    const bool last = i + 1 == all.size();
    lines_.push_back(indent + (last ? "└─ " : "├─ ") + edge_words(all[i]));
    draw(groups(all[i]), indent + (last ? "    " : "│   "), layer);
  }
  if (shown == all.size()) return;
  std::size_t left = 0;
  for (std::size_t i = shown; i < all.size(); ++i) left += all[i].waiters.size();
  lines_.push_back(indent + "└─ … " + counted(all.size() - shown, "more lock", "more locks") +
                   " with " + counted(left, "waiter", "waiters"));
}

// ---- the waiters of one edge

std::vector<Tree::Group> Tree::groups(const Edge& edge) const {
  std::vector<Group> all;
  for (ThreadGroup& same :
       group_waits(say_, edge.waiters, [this](std::uint32_t t) { return has_waiters(t); })) {
    all.push_back({std::move(same.threads), "", ""});
  }
  if (all.size() > kGroupsShown) all = by_place(edge.waiters);
  std::stable_sort(all.begin(), all.end(), [this](const Group& a, const Group& b) {
    const bool a_on = has_waiters(a.threads.front());
    const bool b_on = has_waiters(b.threads.front());
    return a_on != b_on ? a_on : a.threads.size() > b.threads.size();
  });
  for (Group& group : all) group.place = say_.wait_place(thread(group.threads.front()));
  tell_apart(all);
  return all;
}

// Too many different stacks: what is shown of them is where they wait.
std::vector<Tree::Group> Tree::by_place(const Threads& waiters) const {
  std::map<std::pair<bool, std::string>, Threads> places;
  for (const std::uint32_t waiter : waiters) {
    places[{has_waiters(waiter), say_.wait_place(thread(waiter))}].push_back(waiter);
  }
  std::vector<Group> all;
  for (auto& [key, threads] : places) {
    longest_first(say_, threads);
    all.push_back({std::move(threads), "", ""});
  }
  return all;
}

// Equal places that were reached on different ways: the first caller that differs.
void Tree::tell_apart(std::vector<Group>& groups) const {
  for (Group& group : groups) {
    for (const Group& other : groups) {
      if (&other == &group || other.place != group.place) continue;
      const auto& mine = frames(group);
      const auto& theirs = frames(other);
      for (std::size_t i = 0; i < mine.size(); ++i) {
        if (i < theirs.size() && theirs[i].pc == mine[i].pc) continue;
        group.apart = say_.caller_name(mine[i]);
        break;
      }
      if (!group.apart.empty()) break;
    }
  }
  for (Group& group : groups) {
    if (!group.apart.empty() && !group.place.starts_with(group.apart)) {
      group.place += " ← " + group.apart;
    }
  }
}

void Tree::draw(const std::vector<Group>& groups, const std::string& indent, std::size_t layer) {
  Widths widths;
  for (const Group& group : groups) {
    widths.age = std::max(widths.age, columns(ages(group.threads)));
    widths.place = std::max(widths.place, columns(group.place));
  }
  const std::size_t shown = std::min(groups.size(), kGroupsShown);
  for (std::size_t i = 0; i < shown; ++i) {
    const bool last = i + 1 == groups.size();
    const std::size_t used = columns(indent) + 3;
    Threads fresh;
    bool again = false;
    for (const std::uint32_t one : groups[i].threads) {
      const bool drawn = drawn_.contains(one);
      again = again || drawn;
      if (!drawn) fresh.push_back(one);
    }
    lines_.push_back(indent + (last ? "└─ " : "├─ ") +
                     group_line(groups[i], widths, width_ > used ? width_ - used : 0) +
                     (again ? "  (see above)" : ""));
    below(fresh, indent + (last ? "    " : "│   "), layer + 1);
  }
  if (shown == groups.size()) return;
  std::size_t left = 0;
  for (std::size_t i = shown; i < groups.size(); ++i) left += groups[i].threads.size();
  lines_.push_back(indent + "└─ … " + counted(left, "more thread", "more threads") + " at " +
                   counted(groups.size() - shown, "other place", "other places"));
}

std::string Tree::group_line(const Group& group, const Widths& widths, std::size_t room) const {
  const Thread& first = thread(group.threads.front());
  std::string text;
  if (group.threads.size() == 1) {
    text = bold(say_.who(group.threads.front())) + " ";
  } else {
    text = bold(counted(group.threads.size(), "thread", "threads")) + " ";
  }
  std::string wish_words(first.wait ? wish(first.wait->kind) : "waits");
  if (first.wait && first.wait->kind == WaitKind::kJoin) wish_words = "waits for that";
  if (group.threads.size() > 1) {
    wish_words.erase(4, 1);  // "wants" → "want", "waits" → "wait"
  }
  text += wish_words + "  " + padded(ages(group.threads), widths.age) + "  " +
          (group.threads.size() == 1 ? group.place : padded(group.place, widths.place));
  if (first.wait && first.wait->timed) text += "  with a time limit";
  if (group.threads.size() == 1) return text;
  const std::size_t used = columns(text) + 2;
  return text + "  " + named(group.threads, room > used ? room - used : 0);
}

// As many as there is room for, and two at least.
std::string Tree::named(const Threads& threads, std::size_t room) const {
  std::string text;
  for (std::size_t i = 0; i < threads.size() && i < kNamedInGroup; ++i) {
    const std::string next = (i == 0 ? "" : ", ") + say_.who(threads[i]);
    if (i > 1 && columns(text) + columns(next) + 3 > room) return text + ", …";
    text += next;
  }
  return threads.size() > kNamedInGroup ? text + ", …" : text;
}

// "12s … 5m 01s"
std::string Tree::ages(const Threads& threads) const {
  const auto age = [this](std::uint32_t t) {
    return thread(t).wait ? say_.wait_age(*thread(t).wait) : std::string();
  };
  const std::string longest = age(threads.front());
  const std::string shortest = age(threads.back());
  if (longest.empty()) return "for an unknown time";
  return shortest == longest || shortest.empty() ? longest : shortest + " … " + longest;
}

std::size_t Tree::count_below(const Threads& threads) const {
  std::size_t n = 0;
  Threads next = threads;
  std::unordered_set<std::uint32_t> seen(threads.begin(), threads.end());
  for (std::size_t i = 0; i < next.size(); ++i) {
    const auto links = behind_.find(next[i]);
    if (links == behind_.end()) continue;
    for (const Link* link : links->second) {
      if (drawn_.contains(link->waiter) || !seen.insert(link->waiter).second) continue;
      ++n;
      next.push_back(link->waiter);
    }
  }
  return n;
}

}  // namespace

Lines wait_tree(const Phrases& say, std::size_t width) {
  if (say.report().finding.crowd.empty()) return {};
  return Tree(say, width).all();
}

}  // namespace impasse::report
