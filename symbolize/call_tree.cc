#include "symbolize/call_tree.h"

#include <algorithm>

namespace impasse::symbolize {
namespace {

// Above a program counter of user space.
constexpr unsigned kGradeShift = 48;
constexpr std::uint64_t kReturnsHere = std::uint64_t{1} << 52;
constexpr std::uint64_t kSignal = std::uint64_t{1} << 53;
// What stands outside of the outermost frame: nothing, or nothing that was found.
constexpr std::uint64_t kWholeEnd = std::uint64_t{1} << 54;
constexpr std::uint64_t kGap = std::uint64_t{1} << 55;  // its pc is a count of frames left out
constexpr std::uint64_t kPcMask = (std::uint64_t{1} << kGradeShift) - 1;

std::uint64_t word_of(const Frame& frame) {
  return (frame.pc & kPcMask) | static_cast<std::uint64_t>(frame.grade) << kGradeShift |
         (frame.returns_here ? kReturnsHere : 0) | (frame.signal ? kSignal : 0);
}

Frame frame_of(std::uint64_t word) {
  Frame frame;
  frame.pc = word & kPcMask;
  frame.grade = static_cast<Grade>(word >> kGradeShift & 3);
  frame.returns_here = (word & kReturnsHere) != 0;
  frame.signal = (word & kSignal) != 0;
  return frame;
}

std::uint64_t hash_of(std::uint64_t word, std::uint32_t caller) {
  const std::uint64_t mixed = (word ^ std::uint64_t{caller} << 40) * 0x9e37'79b9'7f4a'7c15;
  return (mixed ^ mixed >> 31) + caller;
}

}  // namespace

std::uint32_t CallTree::node(std::uint64_t word, std::uint32_t caller) {
  const std::uint64_t hash = hash_of(word, caller);
  const auto [first, last] = found_.equal_range(hash);
  for (auto at = first; at != last; ++at) {
    const Node& known = nodes_[at->second - 1];
    if (known.word == word && known.caller == caller) return at->second;
  }
  if (full()) return 0;
  nodes_.push_back({word, caller});
  const auto number = static_cast<std::uint32_t>(nodes_.size());
  found_.emplace(hash, number);
  return number;
}

std::uint32_t CallTree::add(const Stack& stack) {
  if (stack.frames.empty()) return 0;
  std::uint32_t number = stack.whole ? node(kWholeEnd, 0) : 0;
  if (stack.whole && number == 0) return 0;
  for (std::size_t i = stack.frames.size(); i-- > 0;) {
    if (stack.left_out != 0 && i + 1 == stack.left_out_after) {
      number = node((stack.left_out & kPcMask) | kGap, number);
      if (number == 0) return 0;
    }
    number = node(word_of(stack.frames[i]), number);
    if (number == 0) return 0;
  }
  return number;
}

Stack CallTree::stack(std::uint32_t number) const {
  Stack stack;
  while (number != 0 && number <= nodes_.size()) {
    const Node& node = nodes_[number - 1];
    if ((node.word & kWholeEnd) != 0) {
      stack.whole = true;
    } else if ((node.word & kGap) != 0) {
      stack.left_out = node.word & kPcMask;
      stack.left_out_after = stack.frames.size();
    } else {
      stack.frames.push_back(frame_of(node.word));
    }
    number = node.caller;
  }
  return stack;
}

void CallTree::keep_only(std::span<std::uint32_t*> numbers) {
  std::vector<std::uint32_t> becomes(nodes_.size() + 1, 0);
  for (const std::uint32_t* number : numbers) {
    for (std::uint32_t at = *number; at != 0 && becomes[at] == 0; at = nodes_[at - 1].caller) {
      becomes[at] = 1;
    }
  }
  std::vector<Node> kept;
  found_ = {};
  for (std::uint32_t number = 1; number < becomes.size(); ++number) {
    if (becomes[number] == 0) continue;
    Node node = nodes_[number - 1];
    node.caller = becomes[node.caller];
    kept.push_back(node);
    becomes[number] = static_cast<std::uint32_t>(kept.size());
    found_.emplace(hash_of(node.word, node.caller), becomes[number]);
  }
  nodes_ = std::move(kept);
  for (std::uint32_t* number : numbers) *number = becomes[*number];
}

}  // namespace impasse::symbolize
