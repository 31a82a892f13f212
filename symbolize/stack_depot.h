// Stacks, equal ones kept once: two thousand threads that stand in the same place have one.
//
// Promises: ids are small, given out in order, and stay; stacks are equal when everything in them
// is but for stack pointers, which are not kept. Costs one look into a hash table for each stack
// that is handed in. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "symbolize/stack.h"

namespace impasse::symbolize {

using StackId = std::uint32_t;
inline constexpr StackId kNoStack = 0xffff'ffff;

class StackDepot {
 public:
  // Of a stack that says nothing, not even why there is none: kNoStack.
  StackId keep(Stack stack);
  // Of kNoStack, and of an id that was never given out: the stack that says nothing.
  const Stack& at(StackId id) const { return id < stacks_.size() ? stacks_[id] : nothing_; }
  const std::vector<Stack>& all() const { return stacks_; }

  // For who looks up names: nothing else of a frame may change.
  template <typename Visit>
  void for_each_frame(Visit visit) {
    for (Stack& stack : stacks_) {
      for (Frame& frame : stack.frames) visit(frame);
    }
  }
  template <typename Visit>
  void for_each_frame(Visit visit) const {
    for (const Stack& stack : stacks_) {
      for (const Frame& frame : stack.frames) visit(frame);
    }
  }

 private:
  std::vector<Stack> stacks_;
  std::unordered_multimap<std::uint64_t, StackId> known_;  // by what names do not change
  Stack nothing_;
};

}  // namespace impasse::symbolize
