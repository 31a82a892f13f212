#include "report/order_phrases.h"

#include <algorithm>

#include "report/function_name.h"
#include "report/ink.h"
#include "report/words.h"

namespace impasse::report {
namespace {

constexpr std::size_t kLongestThreadName = 40;
constexpr std::size_t kLongestArguments = 10;  // of a template, in a sentence

// The thread as it stood when it was seen, for what is said of threads.
Thread then(const Order& order) {
  Thread thread;
  thread.stack = order.stack;
  return thread;
}

// "takeAll<…> forks.cc:12" for "takeAll<std::mutex, std::mutex> forks.cc:12": two places and two
// locks are to stand in one sentence.
std::string brief(std::string place) {
  const std::size_t space = place.rfind(' ');
  const bool has_file = space != std::string::npos && place.find('>', space) == std::string::npos;
  const std::string name = has_file ? place.substr(0, space) : place;
  if (name.find('<') == std::string::npos) return place;
  return short_function(name, kLongestArguments) + (has_file ? place.substr(space) : "");
}

// "Reader::lock reader.h:29 ← Index::publish": the first of the callers that is another function
// of the program's.
std::string with_caller(std::string place, const std::vector<symbolize::Source>& callers) {
  for (const symbolize::Source& caller : callers) {
    if (caller.function.empty() || is_library_wrapper(caller.function, caller.file)) continue;
    const std::string name = short_function(caller.function, kLongestArguments);
    if (place.starts_with(name + " ")) continue;
    place += " ← ";
    place += name;
    break;
  }
  return place;
}

}  // namespace

const char* reading(bool shared) {
  return shared ? " for reading" : "";
}

OrderPhrases::OrderPhrases(const Phrases& say) : say_(say) {
  std::unordered_set<std::string> names;
  for (const Order& order : orders()) {
    for (const std::uint32_t lock : {order.from, order.to}) {
      if (!locks_.insert(lock).second) continue;
      std::string name = say_.lock(lock);
      if (!names.insert(name).second) shared_names_.insert(std::move(name));
    }
  }
}

std::string OrderPhrases::who(const Order& order) const {
  const bool there = say_.thread_at(order.thread) != nullptr;
  if (there && order.thread_name.empty()) return say_.who(order.thread);
  if (order.tid == 0 && order.thread_name.empty()) return "(a thread that is not known)";
  std::string text = order.tid == 0 ? "(not yet numbered)" : std::to_string(order.tid);
  if (order.thread_name.empty()) return text;
  return text + " \"" + cut(printable(order.thread_name), kLongestThreadName) + "\"";
}

std::string OrderPhrases::thread(const Order& order) const {
  const std::string text = who(order);
  return text.starts_with("(a thread") ? "a thread that is not known" : "thread " + text;
}

std::string OrderPhrases::lock(std::uint32_t lock) const {
  std::string name = say_.lock(lock);
  return shared_names_.contains(name) ? say_.lock_in_full(lock) : name;
}

std::string OrderPhrases::from(const Order& order) const {
  return lock(order.from) + reading(order.from_shared);
}

std::string OrderPhrases::to(const Order& order) const {
  return lock(order.to) + reading(order.to_shared);
}

std::string OrderPhrases::deed(const Order& order) const {
  if (order.again) {
    return "kept " + from(order) + " while it waited on a condition with " + lock(order.to) +
           ", and takes " + lock(order.to) + " again at its end";
  }
  return "took " + from(order) + " and then " + (order.to_timed ? "asked for " : "") + to(order) +
         (order.to_timed ? " with a time limit" : "");
}

std::string OrderPhrases::deed_in_short(const Order& order) const {
  if (order.again) return "kept " + from(order) + " in a condition wait with " + lock(order.to);
  if (order.from == order.to && order.to_shared) return "read " + lock(order.to) + " twice";
  return deed(order);
}

std::string OrderPhrases::first_place(const Order& order) const {
  Hold hold;
  hold.site = order.from_site;
  hold.frame = order.from_frame;
  return brief(say_.hold_place(then(order), hold));
}

std::string OrderPhrases::second_place(const Order& order) const {
  Thread thread = then(order);
  thread.wait.emplace().site = order.to_site;
  return brief(say_.wait_place(thread));
}

// Where the program has a lock() of its own all places are in it: who called it tells them apart.
std::string OrderPhrases::from_place(const Order& order) const {
  std::string place = first_place(order);
  const auto& frames = stack(order).frames;
  if (order.from_frame >= frames.size() || place != second_place(order)) return place;
  return with_caller(std::move(place), frames[order.from_frame].sources);
}

std::string OrderPhrases::to_place(const Order& order) const {
  std::string place = second_place(order);
  const auto& frames = stack(order).frames;
  if (frames.empty() || place != first_place(order)) return place;
  std::vector<symbolize::Source> callers = frames[0].sources;
  if (frames.size() > 1) {
    callers.insert(callers.end(), frames[1].sources.begin(), frames[1].sources.end());
  }
  return with_caller(std::move(place), callers);
}

bool OrderPhrases::other_way_round(std::size_t order) const {
  const Order& one = orders()[order];
  const auto plain = [](const Order& o) {
    return !o.from_shared && !o.to_shared && !o.to_timed && !o.again;
  };
  return next(order).from == one.to && next(order).to == one.from && one.from != one.to &&
         plain(one) && plain(next(order));
}

const symbolize::Stack& OrderPhrases::stack(const Order& order) const {
  return say_.report().stack_of(order);
}

bool OrderPhrases::is_reader_again() const {
  return orders().size() == 1 && orders()[0].from == orders()[0].to && orders()[0].to_shared;
}

bool OrderPhrases::meets_as_reader(std::size_t order) const {
  return orders()[order].to_shared && next(order).from_shared;
}

bool OrderPhrases::nobody_is_stuck() const {
  if (say_.report().threads_not_looked_at != 0) return false;
  const auto in_it = [this](std::uint32_t lock) { return locks_.contains(lock); };
  const auto& threads = say_.report().threads;
  return std::none_of(threads.begin(), threads.end(), [&](const Thread& thread) {
    return thread.wait && in_it(thread.wait->lock) &&
           std::any_of(thread.holds.begin(), thread.holds.end(), [&](const Hold& hold) {
             return hold.phase == hold_phase::kHeld && in_it(hold.lock);
           });
  });
}

}  // namespace impasse::report
