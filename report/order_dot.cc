#include "report/order_dot.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <map>
#include <string_view>

#include "report/phrases.h"
#include "report/words.h"

namespace impasse::report {
namespace {

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

// Two lines of a label; printable() has no line breaks, the language has its own.
std::string label(const std::string& first, const std::string& second) {
  std::string text = quoted(first);
  text.pop_back();
  return text + "\\n" + quoted(second).substr(1);
}

std::string arrow_words(const Order& order) {
  std::string words = with_commas(order.seen) + (order.seen == 1 ? " sight" : " sights");
  words += " by " + with_commas(order.threads) + (order.threads == 1 ? " thread" : " threads");
  if (order.from_shared || order.to_shared) {
    words += std::string(", ") + (order.from_shared ? "read" : "held") + " then " +
             (order.to_shared ? "read" : "taken");
  }
  if (order.to_timed) words += ", timed";
  if (order.again) words += ", after a condition wait";
  return words;
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
  const Phrases say(report);
  const std::vector<Order>& orders = report.finding.orders;
  const std::vector<bool> on_circle = orders_on_circles(report);
  std::map<std::uint32_t, bool> locks;  // those with an arrow; whether on a circle
  for (std::size_t i = 0; i < orders.size(); ++i) {
    for (const std::uint32_t lock : {orders[i].from, orders[i].to}) {
      if (say.lock_at(lock) != nullptr) locks[lock] = locks[lock] || on_circle[i];
    }
  }
  std::string out = "// The orders in which " + printable(report.process.program) + "[" +
                    std::to_string(report.process.pid) + "] was seen taking its locks.\n" +
                    "digraph impasse {\n  rankdir=LR;\n  node [shape=box];\n";
  for (const auto& [index, red] : locks) {
    const Lock& lock = *say.lock_at(index);
    char address[24];
    std::snprintf(address, sizeof address, "0x%llx", static_cast<unsigned long long>(lock.address));
    const std::string second = std::string(lock_word(lock.kind)) +
                               (lock.variety.empty() ? "" : ", " + lock.variety) + " " + address;
    out += "  l" + std::to_string(index) +
           " [label=" + (lock.name.empty() ? quoted(second) : label(lock.name, second)) +
           (red ? ", color=red" : "") + "];\n";
  }
  for (std::size_t i = 0; i < orders.size(); ++i) {
    const Order& order = orders[i];
    if (say.lock_at(order.from) == nullptr || say.lock_at(order.to) == nullptr) continue;
    out += "  l" + std::to_string(order.from) + " -> l" + std::to_string(order.to) +
           " [label=" + label(say.place(order.to_site), arrow_words(order)) +
           (on_circle[i] ? ", color=red, fontcolor=red" : "") + "];\n";
  }
  return out + "}\n";
}

}  // namespace impasse::report
