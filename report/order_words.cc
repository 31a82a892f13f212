#include "report/order_words.h"

#include <algorithm>
#include <unordered_set>

#include "report/ink.h"
#include "report/order_phrases.h"

namespace impasse::report {
namespace {

using Lines = std::vector<std::string>;
constexpr std::size_t kOrdersTold = 8;  // of a larger circle, before the "…"

// ---- what it may come to

bool is_timed(const Order& order) {
  return order.to_timed;
}

std::size_t timed_orders(const OrderPhrases& say) {
  return static_cast<std::size_t>(
      std::count_if(say.orders().begin(), say.orders().end(), is_timed));
}

// "both at once hang for ever"
std::string outcome(const OrderPhrases& say) {
  if (say.orders().size() == 1) return "two threads that do so at once may hang for ever";
  const bool two = say.orders().size() == 2;
  std::string text = say.doubt() == OrderDoubt::kClass ? "on the same objects " : "";
  text += two ? "both at once" : "all of them at once";
  if (timed_orders(say) != 0) {
    return text + (two ? " wait for each other" : " wait in a circle") +
           " until a time limit ends it";
  }
  const bool seen_together =
      say.doubt() != OrderDoubt::kClass && say.doubt() != OrderDoubt::kPhases;
  return text + (seen_together ? " hang for ever" : " would hang for ever");
}

// Where both sides read, it takes a writer that comes between.
std::string writer_between(const OrderPhrases& say) {
  const Order* read = nullptr;
  for (std::size_t i = 0; i < say.orders().size(); ++i) {
    if (!say.meets_as_reader(i)) continue;
    if (read != nullptr) {
      return ", if writers ask in between for what is read (these locks let no new reader pass a "
             "waiting writer)";
    }
    read = &say.orders()[i];
  }
  if (read == nullptr) return "";
  return ", if a writer asks for " + say.lock(read->to) +
         " in between (this lock lets no new reader pass a waiting writer)";
}

std::string danger(const OrderPhrases& say) {
  std::string text = say.nobody_is_stuck() ? "nobody is stuck in this now; " : "";
  text += outcome(say);
  text += writer_between(say);
  return capital(std::move(text)) + ".";
}

// ---- what weakens it

std::string timed_words(const OrderPhrases& say) {
  if (timed_orders(say) != 1) {
    return "Locks in it are asked for with a time limit: who asks so gives up.";
  }
  const auto timed = std::find_if(say.orders().begin(), say.orders().end(), is_timed);
  return capital(say.thread(*timed)) + " asks for " + say.lock(timed->to) +
         " with a time limit: it would give up.";
}

void tell_doubts(const OrderPhrases& say, Lines& lines) {
  const bool two = say.orders().size() == 2;
  const std::string they = two ? "The two were" : "They were";
  if (say.doubt() == OrderDoubt::kTimed || timed_orders(say) != 0) {
    lines.push_back(timed_words(say));
  }
  if (say.doubt() == OrderDoubt::kPhases) {
    lines.push_back(they +
                    " seen only in different phases of the program, kept apart by creating and "
                    "joining threads.");
  }
  if (say.doubt() == OrderDoubt::kClass) {
    lines.push_back(they + " seen on different objects of one kind: never " +
                    (two ? "on the same two." : "all on the same."));
  }
}

std::string way_out(const OrderPhrases& say) {
  const auto& orders = say.orders();
  if (std::any_of(orders.begin(), orders.end(), [](const Order& o) { return o.again; })) {
    return "Usual way out: keep no other lock while waiting on a condition.";
  }
  if (say.doubt() == OrderDoubt::kClass) {
    return "Usual ways out: one order among these objects too (by kind, then by address); or all "
           "of them at once (std::scoped_lock).";
  }
  if (orders.size() == 2) return "Usual way out: one order for both locks, in every thread.";
  return "Usual way out: one order for all of these locks, in every thread.";
}

// ---- who took what where

std::string others_too(const Order& order) {
  if (order.threads < 2) return "";
  return "; at least " + counted(order.threads - 1, "other thread", "other threads") +
         " did so too";
}

std::string second_deed(const OrderPhrases& say, const Order& order) {
  if (order.again) {
    return "then waited on a condition with " + say.lock(order.to) + " at " + say.to_place(order) +
           ", and takes it again at the end of the wait";
  }
  return std::string("then ") + (order.to_timed ? "asked for " : "") + say.to(order) +
         (order.to_timed ? " with a time limit at " : " at ") + say.to_place(order);
}

void tell_orders(const OrderPhrases& say, Lines& lines) {
  const auto& orders = say.orders();
  const std::size_t told = std::min(orders.size(), kOrdersTold);
  std::size_t width = 0;
  for (std::size_t i = 0; i < told; ++i) width = std::max(width, columns(say.who(orders[i])));
  for (std::size_t i = 0; i < told; ++i) {
    const Order& order = orders[i];
    lines.push_back("  " + padded(say.who(order), width) + "  took " + say.from(order) + " at " +
                    say.from_place(order) + ",");
    lines.push_back(std::string(width + 4, ' ') + second_deed(say, order) + others_too(order));
  }
  if (orders.size() > told) {
    lines.push_back("  … " + with_commas(orders.size() - told) + " more");
  }
}

Lines reader_again(const OrderPhrases& say) {
  const Order& order = say.orders().front();
  Lines lines;
  lines.push_back(capital(say.thread(order)) + " reads " + say.phrases().lock_in_full(order.to) +
                  " again while it reads it. A writer that comes between shuts it out for ever "
                  "(this lock lets no new reader pass a waiting writer)." +
                  (say.nobody_is_stuck() ? " Nobody is stuck in this now." : ""));
  lines.push_back("  taken at  " + say.from_place(order));
  lines.push_back("  again at  " + say.to_place(order) + others_too(order));
  tell_doubts(say, lines);
  lines.emplace_back("Usual way out: do not take a read lock that the thread has already.");
  return lines;
}

// "Thread 1 took a and then b; thread 2 took them the other way round."
std::string summary(const OrderPhrases& say) {
  const auto& orders = say.orders();
  if (orders.size() > 2) {
    return spoken_number(orders.size()) + " threads take locks in orders that close a circle.";
  }
  std::string text = capital(say.thread(orders[0])) + " " + say.deed(orders[0]);
  if (orders.size() == 2) {
    text += "; " + say.thread(orders[1]) + " " +
            (say.other_way_round(0) ? "took them the other way round" : say.deed(orders[1]));
  }
  return text + ".";
}

const char* doubt_note(OrderDoubt doubt) {
  switch (doubt) {
    case OrderDoubt::kPhases:
      return "; seen in different phases only";
    case OrderDoubt::kClass:
      return "; seen on different objects only";
    case OrderDoubt::kTimed:  // said where it stands
    case OrderDoubt::kNone:
      break;
  }
  return "";
}

}  // namespace

Lines order_words(const Phrases& phrases) {
  const OrderPhrases say(phrases);
  if (say.orders().empty()) {
    return {"Locks are taken in orders that close a circle; which ones is not known."};
  }
  if (say.is_reader_again()) return reader_again(say);
  Lines lines = {summary(say) + " " + danger(say)};
  tell_orders(say, lines);
  tell_doubts(say, lines);
  lines.push_back(way_out(say));
  return lines;
}

std::string order_line(const Phrases& phrases, std::size_t most) {
  const OrderPhrases say(phrases);
  const auto& orders = say.orders();
  if (orders.empty()) return "locks are taken in orders that close a circle";
  const std::string end = doubt_note(say.doubt());
  std::unordered_set<std::uint32_t> named;
  // In full where it comes first.
  const auto lock = [&](std::uint32_t index) {
    return named.insert(index).second ? phrases.lock_in_full(index) : say.lock(index);
  };
  std::string text;
  for (std::size_t i = 0; i < orders.size(); ++i) {
    const Order& order = orders[i];
    std::string part = i == 0 ? "" : "; ";
    part += say.thread(order) + (order.again ? " kept " : " took ") + lock(order.from) +
            reading(order.from_shared);
    if (say.is_reader_again()) {
      part += " twice; a writer may come between";
    } else {
      part += order.again      ? " in a condition wait with "
              : order.to_timed ? " and then asked, with a time limit, for "
                               : " and then ";
      part += lock(order.to) + reading(order.to_shared);
    }
    const bool last = i + 1 == orders.size();
    const std::string rest = " … in a circle of " + with_commas(orders.size());
    const std::size_t after = end.size() + (last ? 0 : rest.size());
    if (i > 0 && text.size() + part.size() + after > most) {
      text += rest;
      break;
    }
    text += part;
  }
  return text + end;
}

}  // namespace impasse::report
