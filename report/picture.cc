#include "report/picture.h"

#include <algorithm>

#include "report/cycle_words.h"
#include "report/ink.h"
#include "report/signal_words.h"

namespace impasse::report {
namespace {

using Lines = std::vector<std::string>;
constexpr std::size_t kRingThreads = 6;     // of a larger circle each thread gets one line
constexpr std::size_t kListedThreads = 24;  // and of a very large one so many

// One step of the circle: "wants" ─ raft_node ─ "held by".
struct Step {
  std::string wants;
  std::string lock;  // empty: none, it is a join
  std::string by;
};

Step step(const Phrases& say, const Link& link) {
  if (link.reason == LinkReason::kJoin) return {"waits for the end of", "", ""};
  const Thread* const waiter = say.thread_at(link.waiter);
  const WaitKind kind = waiter != nullptr && waiter->wait ? waiter->wait->kind : WaitKind::kMutex;
  Step one{std::string(is_refused(say.report()) ? refused_wish(say) : wish(kind)),
           say.lock(link.lock), "held by"};
  const Lock* const lock = say.lock_at(link.lock);
  if (link.reason == LinkReason::kSignaller) {
    one.by = lock != nullptr && lock->kind == LockKind::kSemaphore ? "posted by" : "signalled by";
  } else if (link.reason == LinkReason::kWaitingWriter) {
    one.by = "behind the writer";
  } else if (const Hold* hold = say.hold_of(link.blocker, link.lock)) {
    if (lock != nullptr && lock->kind == LockKind::kRwlock) {
      one.by = hold->shared ? "held for reading by" : "held for writing by";
    }
  }
  return one;
}

std::string actor(const Phrases& say, std::uint32_t thread) {
  return bold(say.thread(thread));
}

Lines itself(const Phrases& say, const Link& link) {
  const Step one = step(say, link);
  const std::string who = say.thread(link.waiter);
  const std::size_t down = columns(who) / 2;
  if (one.lock.empty()) {
    return {
        actor(say, link.waiter) + "  ── waits for its own end ──┐",
        std::string(down, ' ') + "▲" +
            std::string(columns(who) - down - 1 + columns("  ── waits for its own end ──"), ' ') +
            "│",
        std::string(down, ' ') + "└" +
            repeat("─", columns(who) - down - 1 + columns("  ── waits for its own end ──")) + "┘"};
  }
  const std::string way = "  ── " + one.wants + " ──▶  ";
  const std::size_t lock_middle = columns(who) + columns(way) + columns(one.lock) / 2;
  const std::size_t inside = lock_middle - down - 1;
  return {actor(say, link.waiter) + way + one.lock,
          std::string(down, ' ') + "▲" + std::string(inside, ' ') + "│",
          std::string(down, ' ') + "└" + wire(inside, " " + one.by + " itself ") + "┘"};
}

// Two threads: there on the upper line, back on the lower one. Empty: it is too wide.
Lines there_and_back(const Phrases& say, const Link& there, const Link& back, std::size_t width) {
  const auto forth = [](const Step& s) {
    return s.lock.empty() ? "  ── " + s.wants + " ──▶  "
                          : "  ── " + s.wants + " ──▶  " + s.lock + "  ── " + s.by + " ──▶  ";
  };
  const auto reverse = [](const Step& s) {
    return s.lock.empty() ? " " + s.wants + " "
                          : " " + s.by + " ──  " + s.lock + "  ◀── " + s.wants + " ";
  };
  const std::string left = say.thread(there.waiter);
  const std::string right = say.thread(there.blocker);
  const std::string upper = forth(step(say, there));
  const std::size_t left_at = std::min<std::size_t>(10, columns(left) / 2);
  std::size_t right_at =
      columns(left) + columns(upper) + std::min<std::size_t>(10, columns(right) / 2);
  std::string words = reverse(step(say, back));
  if (right_at < left_at + columns(words) + 5) right_at = left_at + columns(words) + 5;
  const std::size_t inside = right_at - left_at - 1;
  const std::size_t upper_end = columns(left) + columns(upper) + columns(right);
  if (std::max(upper_end, right_at + 1) > width || right_at >= upper_end) return {};
  return {actor(say, there.waiter) + upper + actor(say, there.blocker),
          std::string(left_at, ' ') + "▲" + std::string(inside, ' ') + "│",
          std::string(left_at, ' ') + "└" + wire(inside, words) + "┘"};
}

// One below the other, and a line back to the first.
Lines ring(const Phrases& say, const std::vector<Link>& cycle) {
  Lines lines;
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    const Step one = step(say, cycle[i]);
    const bool last = i + 1 == cycle.size();
    lines.push_back((i == 0 ? "┌─▶ " : "│   ") + actor(say, cycle[i].waiter));
    if (one.lock.empty()) {
      lines.push_back(last ? "└─────┘   " + one.wants + " " + say.who(cycle[i].blocker)
                           : "│     ▼   " + one.wants);
    } else {
      lines.push_back("│     │   " + one.wants + " " + one.lock);
      lines.push_back(last ? "└─────┘   " + one.by + " " + say.who(cycle[i].blocker)
                           : "│     ▼   " + one.by);
    }
  }
  return lines;
}

Lines closing_list(const Phrases& say, const std::vector<Link>& cycle) {
  Lines lines;
  for (std::size_t i = 0; i < cycle.size(); ++i) {
    const bool last = i + 1 == cycle.size();
    if (!last && i + 1 == kListedThreads) {
      lines.push_back("…   " + std::to_string(cycle.size() - kListedThreads) + " more");
    }
    if (!last && i + 1 >= kListedThreads) continue;
    const Step one = step(say, cycle[i]);
    std::string text = i == 0 ? "┌─▶ " : last ? "└── " : "│   ";
    text += actor(say, cycle[i].waiter) + " " + one.wants;
    if (!one.lock.empty()) text += " " + one.lock + ", " + one.by;
    lines.push_back(text + (last ? " " + say.who(cycle[i].blocker) : ""));
  }
  return lines;
}

}  // namespace

std::string wire(std::size_t width, const std::string& words) {
  const std::size_t used = columns(words);
  const std::size_t left = width > used ? (width - used) / 2 : 0;
  return repeat("─", left) + words + repeat("─", width > used + left ? width - used - left : 0);
}

Lines circle(const Phrases& say, const std::vector<Link>& cycle, std::size_t width) {
  if (cycle.empty()) return {};
  if (cycle.size() == 1) return itself(say, cycle[0]);
  if (cycle.size() == 2) {
    Lines drawn = there_and_back(say, cycle[0], cycle[1], width);
    if (!drawn.empty()) return drawn;
  }
  return cycle.size() <= kRingThreads ? ring(say, cycle) : closing_list(say, cycle);
}

Lines circle(const Phrases& say, std::size_t width) {
  return circle(say, say.report().finding.cycle, width);
}

Lines picture(const Phrases& say, std::size_t width) {
  if (is_stuck_group(say.report().finding.kind)) return stuck_picture(say, width);
  Lines lines = circle(say, width);
  const Lines tree = wait_tree(say, width);
  if (!lines.empty() && !tree.empty()) {
    lines.emplace_back();
    lines.emplace_back(say.report().finding.cycle.size() == 1 ? "behind it:" : "behind them:");
  }
  lines.insert(lines.end(), tree.begin(), tree.end());
  return lines;
}

}  // namespace impasse::report
