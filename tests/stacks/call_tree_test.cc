#include "symbolize/call_tree.h"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace impasse::symbolize {
namespace {

Frame frame(std::uint64_t pc) {
  Frame frame;
  frame.pc = pc;
  return frame;
}

Stack stack(std::initializer_list<std::uint64_t> pcs, bool whole = true) {
  Stack stack;
  for (const std::uint64_t pc : pcs) stack.frames.push_back(frame(pc));
  stack.whole = whole;
  return stack;
}

void expect_equal(const Stack& one, const Stack& other) {
  ASSERT_EQ(one.frames.size(), other.frames.size());
  for (std::size_t i = 0; i < one.frames.size(); ++i) {
    EXPECT_EQ(one.frames[i].pc, other.frames[i].pc);
    EXPECT_EQ(one.frames[i].grade, other.frames[i].grade);
    EXPECT_EQ(one.frames[i].returns_here, other.frames[i].returns_here);
    EXPECT_EQ(one.frames[i].signal, other.frames[i].signal);
  }
  EXPECT_EQ(one.whole, other.whole);
  EXPECT_EQ(one.left_out, other.left_out);
  EXPECT_EQ(one.left_out == 0 ? 0 : one.left_out_after,
            other.left_out == 0 ? 0 : other.left_out_after);
}

TEST(CallTree, GivesBackWhatItWasGiven) {
  CallTree tree;
  Stack given = stack({0x1000, 0x7fff'ffff'f000, 0x3000});
  given.frames[0].returns_here = false;
  given.frames[1].grade = Grade::kGuessed;
  given.frames[2].signal = true;
  given.left_out = 19'878;
  given.left_out_after = 2;
  expect_equal(tree.stack(tree.add(given)), given);
  given.left_out = 0;
  given.whole = false;
  expect_equal(tree.stack(tree.add(given)), given);
}

TEST(CallTree, EqualStacksAreOneAndCallersAreShared) {
  CallTree tree;
  const std::uint32_t one = tree.add(stack({0x10, 0x20, 0x30, 0x40}));
  const std::size_t nodes = tree.nodes();
  EXPECT_EQ(tree.add(stack({0x10, 0x20, 0x30, 0x40})), one);
  EXPECT_EQ(tree.nodes(), nodes);
  EXPECT_NE(tree.add(stack({0x11, 0x20, 0x30, 0x40})), one);
  EXPECT_EQ(tree.nodes(), nodes + 1);
  EXPECT_NE(tree.add(stack({0x10, 0x20, 0x30, 0x40}, false)), one);
}

TEST(CallTree, OfNothingThereIsNothing) {
  CallTree tree;
  EXPECT_EQ(tree.add(stack({})), 0U);
  EXPECT_TRUE(tree.stack(0).frames.empty());
  EXPECT_TRUE(tree.stack(99).frames.empty());
}

TEST(CallTree, FullMeansNone) {
  CallTree tree(4);
  const std::uint32_t one = tree.add(stack({0x10, 0x20, 0x30}));
  EXPECT_NE(one, 0U);
  EXPECT_EQ(tree.add(stack({0x50, 0x60})), 0U);
  EXPECT_EQ(tree.add(stack({0x10, 0x20, 0x30})), one);
}

TEST(CallTree, RandomStacksAsAMapWouldKeepThem) {
  std::mt19937_64 random(20'261'121);
  CallTree tree;
  std::map<std::vector<std::uint64_t>, std::uint32_t> model;
  std::vector<std::pair<Stack, std::uint32_t>> kept;
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 2'000; ++i) {
      Stack next;
      next.whole = true;
      const std::uint64_t depth = 1 + random() % 6;
      for (std::uint64_t d = 0; d < depth; ++d) next.frames.push_back(frame(1 + random() % 4));
      std::vector<std::uint64_t> key;
      for (const Frame& f : next.frames) key.push_back(f.pc);
      const std::uint32_t number = tree.add(next);
      const auto [known, is_new] = model.emplace(key, number);
      ASSERT_EQ(known->second, number);
      if (is_new) kept.emplace_back(next, number);
    }
    for (const auto& [given, number] : kept) expect_equal(tree.stack(number), given);

    // Half of them go; the others stay what they were, under their new numbers.
    const std::size_t before = tree.nodes();
    std::erase_if(kept, [&](const auto&) { return random() % 2 == 0; });
    std::vector<std::uint32_t*> numbers;
    for (auto& [given, number] : kept) numbers.push_back(&number);
    tree.keep_only(numbers);
    EXPECT_LT(tree.nodes(), before);
    model.clear();
    for (const auto& [given, number] : kept) {
      std::vector<std::uint64_t> key;
      for (const Frame& f : given.frames) key.push_back(f.pc);
      model.emplace(key, number);
      expect_equal(tree.stack(number), given);
    }
  }
}

}  // namespace
}  // namespace impasse::symbolize
