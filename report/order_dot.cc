#include "report/order_dot.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>

#include "report/ink.h"
#include "report/order_phrases.h"
#include "report/words.h"

namespace impasse::report {
namespace {

constexpr std::size_t kLongestLine = 64;  // of a label; a longer one tears the picture apart

// Strongly connected components, by Tarjan's algorithm with a stack of its own: a graph may be a
// chain of a hundred thousand locks.
class Components {
 public:
  explicit Components(const Report& report)
      : next_(report.locks.size()), of_(report.locks.size(), kNone) {
    for (const Order& order : report.finding.orders) {
      if (order.from < next_.size() && order.to < next_.size()) {
        next_[order.from].push_back(order.to);
      }
    }
    reached_.assign(next_.size(), 0);
    lowest_.assign(next_.size(), 0);
    for (std::uint32_t lock = 0; lock < next_.size(); ++lock) {
      if (reached_[lock] == 0) walk_from(lock);
    }
  }

  bool together(std::uint32_t from, std::uint32_t to) const {
    return from < of_.size() && to < of_.size() && of_[from] == of_[to];
  }

 private:
  static constexpr std::uint32_t kNone = 0xffff'ffff;
  struct Step {
    std::uint32_t lock;
    std::size_t next;  // of its arrows, to be followed
  };

  void enter(std::uint32_t lock) {
    reached_[lock] = lowest_[lock] = ++count_;
    open_.push_back(lock);
    way_.push_back({lock, 0});
  }

  void leave(std::uint32_t lock) {
    way_.pop_back();
    if (!way_.empty()) {
      std::uint32_t& above = lowest_[way_.back().lock];
      above = std::min(above, lowest_[lock]);
    }
    if (lowest_[lock] != reached_[lock]) return;
    for (std::uint32_t member = kNone; member != lock;) {
      member = open_.back();
      open_.pop_back();
      of_[member] = lock;
    }
  }

  void walk_from(std::uint32_t start) {
    enter(start);
    while (!way_.empty()) {
      Step& step = way_.back();
      if (step.next == next_[step.lock].size()) {
        leave(step.lock);
        continue;
      }
      const std::uint32_t lock = step.lock;
      const std::uint32_t to = next_[lock][step.next++];
      if (reached_[to] == 0) {
        enter(to);
      } else if (of_[to] == kNone) {
        lowest_[lock] = std::min(lowest_[lock], reached_[to]);
      }
    }
  }

  std::vector<std::vector<std::uint32_t>> next_;
  std::vector<std::uint32_t> of_;       // a lock of the component that each lock is in
  std::vector<std::uint32_t> reached_;  // in which turn; 0: not yet
  std::vector<std::uint32_t> lowest_;
  std::vector<std::uint32_t> open_;
  std::vector<Step> way_;
  std::uint32_t count_ = 0;
};

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : printable(text)) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}

// printable() has no line breaks, the language has its own.
std::string label(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    if (line.empty()) continue;
    const std::string one = quoted(line);
    text += (text.empty() ? "" : "\\n") + one.substr(1, one.size() - 2);
  }
  return "\"" + text + "\"";
}

// What makes it another thing than "held, and took".
std::string manner(const Order& order) {
  std::string words;
  if (order.from_shared || order.to_shared) {
    words = std::string(order.from_shared ? "reading" : "holding") + ", " +
            (order.to_shared ? "began to read" : "took");
  }
  if (order.to_timed) words += words.empty() ? "with a time limit" : ", with a time limit";
  if (order.again) words += words.empty() ? "after a condition wait" : ", after a condition wait";
  return words;
}

// `by thread 101 "raft-loop" and 3 others`
std::string doers(const OrderPhrases& say, const Order& order) {
  std::string words = "by " + say.thread(order);
  if (order.threads > 1) {
    words += " and " + with_commas(order.threads - 1) + (order.threads == 2 ? " other" : " others");
  }
  return words;
}

std::string arrow_label(const OrderPhrases& say, const Order& order) {
  return label({cut(say.to_place(order), kLongestLine), doers(say, order), manner(order)});
}

// Where a pointer rests on it: what does not fit into the picture.
std::string arrow_tip(const OrderPhrases& say, const Order& order) {
  return label({say.lock(order.from) + " taken at " + say.from_place(order),
                say.lock(order.to) + " taken at " + say.to_place(order),
                with_commas(order.seen) + (order.seen == 1 ? " sight" : " sights")});
}

std::string node_label(const Lock& lock) {
  const std::string kind = std::string(lock_word(lock.kind)) +
                           (lock.variety.empty() ? "" : ", " + lock.variety) + " " +
                           hex(lock.address);
  return label({cut(printable(lock.name), kLongestLine), kind});
}

}  // namespace

std::vector<bool> orders_on_circles(const Report& report) {
  const Components components(report);
  std::vector<bool> on;
  for (const Order& order : report.finding.orders) {
    on.push_back(components.together(order.from, order.to));
  }
  return on;
}

std::string orders_dot(const Report& report) {
  const Phrases phrases(report);
  const OrderPhrases say(phrases);
  const std::vector<Order>& orders = report.finding.orders;
  const std::vector<bool> on_circle = orders_on_circles(report);
  std::map<std::uint32_t, bool> locks;  // those with an arrow; whether on a circle
  for (std::size_t i = 0; i < orders.size(); ++i) {
    for (const std::uint32_t lock : {orders[i].from, orders[i].to}) {
      if (phrases.lock_at(lock) != nullptr) locks[lock] = locks[lock] || on_circle[i];
    }
  }
  const std::string whose =
      printable(report.process.program) + "[" + std::to_string(report.process.pid) + "]";
  std::string out = "// The orders in which " + whose + " was seen taking its locks.\n" +
                    "digraph impasse {\n  rankdir=LR;\n  node [shape=box, fontname=Helvetica];\n" +
                    "  edge [fontname=Helvetica, fontsize=10];\n";
  if (locks.empty()) {
    out += "  label=" + quoted(whose + ": no lock was seen taken while another was held") + ";\n";
  }
  for (const auto& [index, red] : locks) {
    out += "  l" + std::to_string(index) + " [label=" + node_label(*phrases.lock_at(index)) +
           (red ? ", color=red" : "") + "];\n";
  }
  for (std::size_t i = 0; i < orders.size(); ++i) {
    const Order& order = orders[i];
    if (phrases.lock_at(order.from) == nullptr || phrases.lock_at(order.to) == nullptr) continue;
    const std::string tip = arrow_tip(say, order);
    out += "  l" + std::to_string(order.from) + " -> l" + std::to_string(order.to);
    out += " [label=" + arrow_label(say, order);
    out += ", tooltip=" + tip;
    out += ", labeltooltip=" + tip;
    out += on_circle[i] ? ", color=red, fontcolor=red];\n" : "];\n";
  }
  return out + "}\n";
}

}  // namespace impasse::report
