#include "report/thread_groups.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <unordered_map>

namespace impasse::report {
namespace {

class Key {
 public:
  void add(std::uint64_t value) {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    bytes_.append(bytes, sizeof bytes);
  }
  void add(const std::string& text) {
    add(text.size());
    bytes_ += text;
  }
  void add(const symbolize::Stack& stack) {
    add(stack.frames.size());
    add(stack.left_out);
    for (const symbolize::Frame& frame : stack.frames) add(frame.pc);
  }
  void add(const Wait& wait) {
    add(static_cast<std::uint64_t>(wait.kind));
    add((wait.timed ? 1U : 0U) | (wait.in_signal_handler ? 2U : 0U));
    add(wait.site.pc);
  }
  std::string take() { return std::move(bytes_); }

 private:
  std::string bytes_;
};

std::string state_key(const Report& report, const Thread& thread, bool same_lock) {
  Key key;
  const symbolize::Stack& stack = report.stack_of(thread);
  key.add(stack);
  // Without a stack there is nothing by which two threads that do not wait are alike.
  key.add(stack.trouble);
  key.add(static_cast<std::uint64_t>(thread.activity.kind));
  key.add(thread.wait ? 1 : 0);
  if (thread.wait) {
    key.add(*thread.wait);
    if (same_lock) key.add(thread.wait->object);
  } else {
    key.add(thread.activity.call);
    if (same_lock) key.add(thread.activity.detail);
  }
  key.add(thread.holds.size());
  for (const Hold& hold : thread.holds) {
    key.add(hold.site.pc);
    key.add((hold.shared ? 1U : 0U) | (std::uint64_t{hold.phase} << 8));
  }
  return key.take();
}

template <typename KeyOf>
std::vector<ThreadGroup> grouped(const Phrases& say, const std::vector<std::uint32_t>& which,
                                 KeyOf key_of) {
  std::vector<ThreadGroup> groups;
  std::unordered_map<std::string, std::size_t> known;
  for (const std::uint32_t index : which) {
    const Thread* const thread = say.thread_at(index);
    if (thread == nullptr) continue;
    const auto [place, is_new] = known.try_emplace(key_of(*thread, index), groups.size());
    if (is_new) groups.emplace_back();
    groups[place->second].threads.push_back(index);
  }
  for (ThreadGroup& group : groups) longest_first(say, group.threads);
  return groups;
}

// When the state began that a thread is in; 0: not known.
std::uint64_t since(const Thread& thread) {
  return thread.wait ? thread.wait->since_ns : thread.activity.since_ns;
}

}  // namespace

std::vector<ThreadGroup> group_threads(const Phrases& say, const std::vector<std::uint32_t>& which,
                                       bool same_lock) {
  return grouped(say, which, [&say, same_lock](const Thread& thread, std::uint32_t) {
    return state_key(say.report(), thread, same_lock);
  });
}

std::vector<ThreadGroup> group_waits(const Phrases& say, const std::vector<std::uint32_t>& which,
                                     const std::function<bool(std::uint32_t)>& apart) {
  return grouped(say, which, [&say, &apart](const Thread& thread, std::uint32_t index) {
    Key key;
    key.add(apart(index) ? 1 : 0);
    key.add(say.report().stack_of(thread));
    if (thread.wait) key.add(*thread.wait);
    return key.take();
  });
}

void longest_first(const Phrases& say, std::vector<std::uint32_t>& threads) {
  std::stable_sort(threads.begin(), threads.end(), [&say](std::uint32_t a, std::uint32_t b) {
    const std::uint64_t since_a = since(*say.thread_at(a));
    const std::uint64_t since_b = since(*say.thread_at(b));
    return since_a - 1 < since_b - 1;  // 0, not known, comes last
  });
}

AgeRange age_range(const Phrases& say, const ThreadGroup& group) {
  AgeRange range;
  for (const std::uint32_t index : group.threads) {
    const auto age = say.age(since(*say.thread_at(index)));
    if (!age) continue;
    range.longest = std::max(range.longest.value_or(0), *age);
    range.shortest = std::min(range.shortest.value_or(*age), *age);
  }
  return range;
}

}  // namespace impasse::report
