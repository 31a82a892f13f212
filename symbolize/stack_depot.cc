#include "symbolize/stack_depot.h"

#include <utility>

namespace impasse::symbolize {
namespace {

// Not of names: they come later.
std::uint64_t hash_of(const Stack& stack) {
  std::uint64_t hash = stack.left_out;
  const auto mix = [&hash](std::uint64_t value) {
    hash = (hash ^ value) * 0x9e37'79b9'7f4a'7c15;
    hash ^= hash >> 29;
  };
  for (const Frame& frame : stack.frames) {
    mix(frame.pc);
    mix(static_cast<std::uint64_t>(frame.grade) | (frame.returns_here ? 4U : 0U) |
        (frame.signal ? 8U : 0U));
  }
  mix(stack.whole ? 1 : 0);
  for (const char c : stack.trouble) mix(static_cast<unsigned char>(c));
  return hash;
}

}  // namespace

StackId StackDepot::keep(Stack stack) {
  for (Frame& frame : stack.frames) frame.stack_pointer = 0;
  if (stack == nothing_) return kNoStack;
  const std::uint64_t hash = hash_of(stack);
  const auto [first, last] = known_.equal_range(hash);
  for (auto known = first; known != last; ++known) {
    if (stacks_[known->second] == stack) return known->second;
  }
  const auto id = static_cast<StackId>(stacks_.size());
  stacks_.push_back(std::move(stack));
  known_.emplace(hash, id);
  return id;
}

}  // namespace impasse::symbolize
