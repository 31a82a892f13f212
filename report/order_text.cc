#include "report/order_text.h"

#include <algorithm>

#include "report/ages.h"
#include "report/frame_text.h"
#include "report/ink.h"
#include "report/order_phrases.h"

namespace impasse::report {
namespace {

constexpr std::size_t kBytesOfOrders = 20 << 10;
constexpr std::size_t kLinesBeyond = 12;  // orders that are told without a stack
constexpr std::size_t kOthersShown = 8;   // locks held besides

// ---- `thread 101 "raft-monitor" [took heartbeats and then raft_node]:`

bool has_ended(const OrderPhrases& say, const Order& order) {
  const Thread* const thread = say.phrases().thread_at(order.thread);
  if (thread != nullptr) return thread->activity.kind == system::ActivityKind::kGone;
  return order.tid != 0 && say.phrases().report().threads_not_looked_at == 0;
}

std::string head(const OrderPhrases& say, const Order& order) {
  return say.thread(order) + " [" + say.deed_in_short(order) +
         (has_ended(say, order) ? "; has ended since" : "") + "]:";
}

// ---- when, how often

// The day too, where it is another one.
std::string time_of(const Report& report, std::uint64_t ns) {
  const std::string time = wall_time(report.moment.wall_of(ns));
  const bool today = time.substr(0, 10) == wall_time(report.moment.wall_ns).substr(0, 10);
  return today && time.size() > 23 ? time.substr(11, 12) : time;
}

std::string sights(const OrderPhrases& say, const Order& order) {
  const Report& report = say.phrases().report();
  std::string text;
  if (order.first_ns != 0) text = "first seen at " + time_of(report, order.first_ns);
  if (order.last_ns > order.first_ns) {
    text +=
        (text.empty() ? "newest sight at " : ", newest sight at ") + time_of(report, order.last_ns);
  }
  if (order.seen > 1) {
    text += (text.empty() ? "" : "; ") + ("at least " + counted(order.seen, "sight", "sights"));
    if (order.threads > 1) {
      text += ", by at least " + counted(order.threads, "thread", "threads");
    }
  }
  return text.empty() ? "" : "  " + text + "\n";
}

std::string held_besides(const OrderPhrases& say, const Order& order) {
  std::string text;
  for (std::size_t i = 0; i < order.others.size(); ++i) {
    if (i == kOthersShown) {
      text += "  … " + counted(order.others.size() - i, "more hold", "more holds") + "\n";
      break;
    }
    const Order::Held& held = order.others[i];
    text += "  held besides: " + say.phrases().lock_in_full(held.lock) + reading(held.shared) +
            ", taken at " + say.phrases().place(held.site) + "\n";
  }
  return text;
}

// ---- where the first lock was taken

std::string_view function_of(const symbolize::Frame& frame) {
  return frame.sources.empty() ? std::string_view() : frame.sources.back().function;
}

// Nothing of the stack is missing, and the function that took `from` is not on it.
bool has_returned(const OrderPhrases& say, const Order& order) {
  const symbolize::Stack& stack = say.stack(order);
  const std::string_view taker = function_of(order.from_site);
  if (!stack.whole || stack.left_out != 0 || taker.empty()) return false;
  return std::none_of(stack.frames.begin(), stack.frames.end(),
                      [taker](const symbolize::Frame& f) { return function_of(f) == taker; });
}

std::string first_taken(const OrderPhrases& say, const Order& order) {
  const bool returned =
      order.from_frame >= say.stack(order).frames.size() && has_returned(say, order);
  return "  " + say.lock(order.from) + " was taken" + reading(order.from_shared) + " at " +
         say.from_place(order) + (returned ? ", which has returned since" : "") + "\n";
}

// " raft.cc:62" of a place that names a function too. Empty: it names no line.
std::string line_of(std::string place) {
  place = place.substr(0, place.find(" ←"));
  const std::size_t space = place.rfind(' ');
  const bool has_line = space != std::string::npos && place.find(':', space) != std::string::npos &&
                        place.find('>', space) == std::string::npos;
  return has_line ? place.substr(space) : "";
}

std::string block(const OrderPhrases& say, const Order& order) {
  // The line that the frame itself shows is the one of the second call.
  const std::string line = line_of(say.from_place(order));
  const FrameMark mark{order.from_frame,
                       "took " + say.from(order) + (line.empty() ? " here" : " at" + line)};
  const bool marked = !line.empty() && mark.frame < say.stack(order).frames.size();
  return bold(head(say, order)) + "\n" + sights(say, order) + held_besides(say, order) +
         stack_text(say.phrases(), say.stack(order), mark) +
         (marked ? "" : first_taken(say, order));
}

}  // namespace

std::string order_section(const Phrases& phrases) {
  const OrderPhrases say(phrases);
  const auto& orders = say.orders();
  if (orders.empty()) return "";
  std::string out = "\n" + bold("ORDERS") + "\n";
  const std::size_t start = out.size();
  std::size_t beyond = 0;
  for (std::size_t i = 0; i < orders.size(); ++i) {
    const std::string text = beyond == 0 ? block(say, orders[i]) : "";
    if (i == 0 || (beyond == 0 && out.size() - start + text.size() <= kBytesOfOrders)) {
      out += (i == 0 ? "" : "\n") + text;
      continue;
    }
    if (beyond == kLinesBeyond) {
      out +=
          "… " + counted(orders.size() - i, "more order", "more orders") + ": in the JSON form\n";
      break;
    }
    out += (beyond++ == 0 ? "\n" : "") + head(say, orders[i]) + " (stack: in the JSON form)\n";
  }
  return out;
}

}  // namespace impasse::report
