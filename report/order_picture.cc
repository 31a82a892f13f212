#include "report/order_picture.h"

#include <algorithm>

#include "report/ink.h"
#include "report/order_phrases.h"
#include "report/picture.h"

namespace impasse::report {
namespace {

using Lines = std::vector<std::string>;
constexpr std::size_t kRingLocks = 6;     // of a larger circle each order gets one line
constexpr std::size_t kListedLocks = 24;  // and of a very large one so many

// Where an order begins: its lock, and the other one of its kind that the order before led to.
std::string corner(const OrderPhrases& say, std::size_t order) {
  const auto& orders = say.orders();
  const Order& before = orders[(order + orders.size() - 1) % orders.size()];
  std::string lock = bold(say.lock(orders[order].from));
  if (before.to == orders[order].from) return lock;
  return bold(say.lock(before.to)) + " and " + lock +
         (say.doubt() == OrderDoubt::kClass ? ", of one kind" : "");
}

bool is_plain(const OrderPhrases& say, std::size_t order) {
  const Order& one = say.orders()[order];
  return !one.from_shared && !one.to_shared && !one.to_timed && !one.again &&
         one.to == say.next(order).from;
}

// Two locks: there on the upper line, back on the lower one. Empty: it is too wide.
Lines there_and_back(const OrderPhrases& say, std::size_t width) {
  const Order& there = say.orders()[0];
  const Order& back = say.orders()[1];
  const std::string left = say.lock(there.from);
  const std::string right = say.lock(there.to);
  const std::string forth = " then, by " + say.thread(there) + " ";
  const std::string words = " then, by " + say.thread(back) + " ";
  // Both lines end in the locks, where the lower one comes out of them.
  const std::size_t left_at = std::min<std::size_t>(10, columns(left) / 2);
  const std::size_t right_in = std::min<std::size_t>(10, columns(right) / 2);
  const std::size_t around = columns(left) - left_at - 1 + columns("  ▶  ") + right_in;
  const std::size_t least = columns(words) + 4 - std::min(around, columns(words) + 4);
  const std::string upper = "  " + wire(std::max(columns(forth) + 4, least), forth) + "▶  ";
  const std::size_t inside = around + columns(upper) - columns("  ▶  ");
  if (columns(left) + columns(upper) + columns(right) > width) return {};
  return {bold(left) + upper + bold(right),
          std::string(left_at, ' ') + "▲" + std::string(inside, ' ') + "│",
          std::string(left_at, ' ') + "└" + wire(inside, words) + "┘"};
}

// ---- one below the other, and a line back to the first

std::string how_held(const OrderPhrases& say, const Order& order) {
  if (order.again)
    return "kept" + std::string(reading(order.from_shared)) + " by " + say.thread(order);
  return "held" + std::string(reading(order.from_shared)) + " by " + say.thread(order);
}

// To stand before the lock that was taken then.
std::string how_taken(const Order& order) {
  if (order.again) return "while it waited on a condition; at its end it takes";
  if (order.to_timed) {
    return "when it asked, with a time limit" +
           std::string(order.to_shared ? ", to read" : ", for");
  }
  return order.to_shared ? "when it began to read" : "when it took";
}

Lines ring(const OrderPhrases& say) {
  const auto& orders = say.orders();
  Lines lines;
  for (std::size_t i = 0; i < orders.size(); ++i) {
    const bool last = i + 1 == orders.size();
    lines.push_back((i == 0 ? "┌─▶ " : "│   ") + corner(say, i));
    lines.push_back("│     │   " + how_held(say, orders[i]));
    lines.push_back(last ? "└─────┘   " + how_taken(orders[i]) + " " + say.lock(orders[i].to)
                         : "│     ▼   " + how_taken(orders[i]));
  }
  return lines;
}

Lines closing_list(const OrderPhrases& say) {
  const auto& orders = say.orders();
  Lines lines;
  for (std::size_t i = 0; i < orders.size(); ++i) {
    const bool last = i + 1 == orders.size();
    if (!last && i + 1 == kListedLocks) {
      lines.push_back("…   " + with_commas(orders.size() - kListedLocks) + " more");
    }
    if (!last && i + 1 >= kListedLocks) continue;
    lines.push_back((i == 0 ? "┌─▶ "
                     : last ? "└── "
                            : "│   ") +
                    corner(say, i) + ", " + how_held(say, orders[i]) + " " + how_taken(orders[i]) +
                    (last ? " " + say.lock(orders[i].to) : ""));
  }
  return lines;
}

// As the deadlock would look, with the writer that is not there yet.
Lines reader_again(const OrderPhrases& say) {
  const Order& order = say.orders().front();
  const std::string lock = say.lock(order.to);
  return {"┌─▶ " + bold(say.thread(order)) + ", which reads " + lock + " already",
          "│     │   asks to read it again",
          "│     ▼   behind",
          "│   a writer that comes between",
          "│     │   asks to write " + lock,
          "└─────┘   held for reading by " + say.who(order)};
}

}  // namespace

Lines order_picture(const Phrases& phrases, std::size_t width) {
  const OrderPhrases say(phrases);
  const auto& orders = say.orders();
  if (orders.empty()) return {};
  if (say.is_reader_again()) return reader_again(say);
  if (orders.size() == 2 && is_plain(say, 0) && is_plain(say, 1)) {
    Lines drawn = there_and_back(say, width);
    if (!drawn.empty()) return drawn;
  }
  return orders.size() <= kRingLocks ? ring(say) : closing_list(say);
}

}  // namespace impasse::report
