// Many walked stacks in little memory: stacks that end in the same callers share them, as the
// branches of a tree share its trunk. A stack is the number of the node where it begins.
//
// Promises: equal stacks have equal numbers; numbers stay until keep_only(). Frames keep their pc
// and marks, not their stack pointers. Bounded: beyond `most` nodes a stack is told by its
// outermost frames no more (number 0: none). For one thread. Costs: 24 bytes for each (caller,
// frame) pair that is different, a lookup in a hash table a frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "symbolize/stack.h"

namespace impasse::symbolize {

class CallTree {
 public:
  explicit CallTree(std::size_t most = std::size_t{1} << 20) : most_(most) {}

  // 0: it is empty, or there is no room.
  std::uint32_t add(const Stack& stack);
  Stack stack(std::uint32_t number) const;

  // Everything but these stacks may go; their numbers change in place.
  void keep_only(std::span<std::uint32_t*> numbers);

  std::size_t nodes() const { return nodes_.size(); }
  std::size_t room() const { return most_ - nodes_.size(); }
  bool may_hold(std::size_t nodes) const { return nodes <= most_; }
  bool full() const { return room() == 0; }

 private:
  struct Node {
    std::uint64_t word;    // pc and marks
    std::uint32_t caller;  // the node of the frame outside of it; 0: it is the outermost
  };

  std::uint32_t node(std::uint64_t word, std::uint32_t caller);

  std::size_t most_;
  std::vector<Node> nodes_;  // number n stands at n - 1; callers come before what they call
  std::unordered_multimap<std::uint64_t, std::uint32_t> found_;  // by hash of the node
};

}  // namespace impasse::symbolize
