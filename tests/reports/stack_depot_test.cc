// Stacks that a report has once: equal is what differs in nothing that is shown.
#include "symbolize/stack_depot.h"

#include <gtest/gtest.h>

#include <functional>
#include <vector>

namespace impasse::symbolize {
namespace {

TEST(StackDepot, KeepsEqualOnesOnce) {
  StackDepot depot;
  Stack stack;
  EXPECT_EQ(depot.keep(stack), kNoStack);
  EXPECT_EQ(depot.at(kNoStack), Stack{});
  stack.frames.resize(2);
  stack.frames[0].pc = 1;
  stack.frames[1].pc = 2;
  stack.frames[1].stack_pointer = 77;
  EXPECT_EQ(depot.keep(stack), 0U);
  stack.frames[1].stack_pointer = 78;
  EXPECT_EQ(depot.keep(stack), 0U);
  const std::vector<std::function<void(Stack&)>> changes = {
      [](auto& s) { s.frames[0].pc = 3; },
      [](auto& s) { s.frames[0].grade = Grade::kGuessed; },
      [](auto& s) { s.frames[0].returns_here = false; },
      [](auto& s) { s.frames[0].signal = true; },
      [](auto& s) {
        s.frames[0].sources = {{"f", "", 0}};
      },
      [](auto& s) { s.frames.pop_back(); },
      [](auto& s) { s.whole = true; },
      [](auto& s) { s.trouble = "because"; },
      [](auto& s) { s.left_out = 4; },
      [](auto& s) { s.left_out_after = 1; },
  };
  StackId next = 1;
  for (const auto& change : changes) {
    Stack other = stack;
    change(other);
    EXPECT_EQ(depot.keep(other), next);
    EXPECT_EQ(depot.keep(other), next);
    EXPECT_EQ(depot.at(next), depot.all()[next]);
    ++next;
  }
  EXPECT_EQ(depot.all().size(), changes.size() + 1);
}

}  // namespace
}  // namespace impasse::symbolize
