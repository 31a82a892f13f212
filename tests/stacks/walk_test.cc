// Walks of hard stacks, inside one process: deep ones, large frames, signals, forked children.
#include <alloca.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

#include "tests/stacks/walk_bench.h"

namespace impasse::symbolize {
namespace {

__attribute__((noinline)) void with_alloca(std::size_t bytes, int more) {
  auto* const memory = static_cast<char*>(alloca(bytes));
  memset(memory, 1, bytes);
  if (more == 0) {
    bottom();
  } else {
    with_alloca(bytes, more - 1);
  }
  sink = sink + memory[bytes / 2];
}

TEST(Walk, ItsOwnStackIsWhole) {
  Bench bench;
  at_the_bottom = [&](const Registers& registers) { bench.walk(registers); };
  deep(5);
  const Stack& stack = bench.stack;
  EXPECT_TRUE(stack.whole) << stack.trouble;
  EXPECT_EQ(stack.trouble, "");
  EXPECT_EQ(frames_in(stack, address(deep), 120), 6u);
  ASSERT_GT(stack.frames.size(), 8u);
  EXPECT_FALSE(stack.frames[0].returns_here);
  for (std::size_t i = 1; i < stack.frames.size(); ++i) {
    EXPECT_TRUE(stack.frames[i].returns_here);
    EXPECT_EQ(stack.frames[i].grade, Grade::kExact);
    EXPECT_GT(stack.frames[i].stack_pointer, stack.frames[i - 1].stack_pointer);
  }
  EXPECT_EQ(stack.left_out, 0u);
}

TEST(Walk, FramesOfOursAreLeftAway) {
  Bench bench;
  const std::uint64_t ours = address(bottom);
  at_the_bottom = [&](const Registers& registers) {
    bench.walk(registers, {.ours_begin = ours, .ours_end = ours + 300});
  };
  deep(5);
  EXPECT_EQ(frames_in(bench.stack, ours, 60), 0u);
  EXPECT_TRUE(bench.stack.frames.at(0).returns_here);
  EXPECT_TRUE(bench.stack.whole);
}

TEST(Walk, OfADeepStackBothEndsAreKept) {
  Bench bench;
  Clock::duration took{};
  at_the_bottom = [&](const Registers& registers) {
    const auto begin = Clock::now();
    bench.walk(registers);
    took = Clock::now() - begin;
  };
  deep(20'000);
  const Stack& stack = bench.stack;
  EXPECT_TRUE(stack.whole) << stack.trouble;
  ASSERT_EQ(stack.frames.size(), 128u);
  EXPECT_EQ(stack.left_out_after, 64u);
  EXPECT_GT(stack.left_out, 19'800u);
  EXPECT_LT(took, 1s);
  for (std::size_t i = 1; i < stack.frames.size(); ++i) {
    EXPECT_GT(stack.frames[i].stack_pointer, stack.frames[i - 1].stack_pointer);
  }
  RecordProperty("microseconds", static_cast<int>(took / 1us));
}

TEST(Walk, LimitsAreKept) {
  Bench bench;
  at_the_bottom = [&](const Registers& registers) {
    bench.walk(registers, {.first = 3, .last = 2, .most = 50});
    EXPECT_EQ(bench.stack.frames.size(), 5u);
    EXPECT_EQ(bench.stack.left_out, 45u);
    EXPECT_FALSE(bench.stack.whole);
    EXPECT_EQ(bench.stack.trouble, "walk stopped after 50 frames");
    bench.walk(registers, {.first = 3, .last = 0, .most = 50});
    EXPECT_EQ(bench.stack.frames.size(), 3u);
    // Nothing but what was copied.
    bench.image.copy(registers);
    const Stack stack = bench.unwinder.walk(bench.image);
    EXPECT_FALSE(stack.whole);
    EXPECT_NE(stack.trouble.find("no memory of the stack"), stack.trouble.npos) << stack.trouble;
    EXPECT_EQ(bench.image.windows(), 1u);
  };
  deep(2'000);
}

TEST(Walk, AThreadThatWentOnEndsIt) {
  Bench bench;
  at_the_bottom = [&](const Registers& registers) {
    int asked = 0;
    bench.image.copy(registers);
    bench.image.allow_more([&] { return ++asked < 3; });
    const Stack stack = bench.unwinder.walk(bench.image);
    EXPECT_EQ(asked, 3);
    EXPECT_TRUE(bench.image.changed());
    EXPECT_FALSE(stack.whole);
    EXPECT_NE(stack.trouble.find("went on"), stack.trouble.npos) << stack.trouble;
    EXPECT_GE(stack.frames.size(), 128u);
  };
  deep(20'000);
}

TEST(Walk, FramesOfEverySizeAreCrossed) {
  Bench bench;
  at_the_bottom = [&](const Registers& registers) { bench.walk(registers); };
  for (const std::size_t bytes : {100u, 5'000u, 70'000u, 300'000u}) {
    with_alloca(bytes, 4);
    EXPECT_TRUE(bench.stack.whole) << bytes << ": " << bench.stack.trouble;
    EXPECT_EQ(frames_in(bench.stack, address(with_alloca), 200), 5u) << bytes;
  }
}

// A frame of more than a window: only its ends are looked at.
TEST(Walk, ALargeFrameCostsOneWindow) {
  Bench bench;
  at_the_bottom = [&](const Registers& registers) { bench.walk(registers); };
  with_alloca(3'000'000, 0);
  EXPECT_TRUE(bench.stack.whole) << bench.stack.trouble;
  EXPECT_LE(bench.image.bytes(), 200'000u);
}

extern "C" void walk_in_handler(int) {
  bottom();
}

void raise_on(void* aside, std::size_t size) {
  stack_t stack{};
  stack.ss_sp = aside;
  stack.ss_size = size;
  sigaltstack(&stack, nullptr);
  struct sigaction action {};
  action.sa_handler = walk_in_handler;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR1, &action, nullptr);
  raise(SIGUSR1);
  stack.ss_flags = SS_DISABLE;
  sigaltstack(&stack, nullptr);
}

TEST(Walk, ASignalOnItsOwnStackIsCrossed) {
  Bench bench;
  at_the_bottom = [&](const Registers& registers) {
    bench.space.refresh();
    bench.walk(registers);
  };
  static char in_data[65536] = {1};
  static char in_bss[65536];
  std::vector<char> in_heap(1 << 20);
  for (char* aside : {in_data + 0, in_bss + 0, in_heap.data() + 0}) {
    raise_on(aside, 65536);
    EXPECT_TRUE(bench.stack.whole) << bench.stack.trouble;
    std::size_t signals = 0;
    for (std::size_t i = 0; i + 1 < bench.stack.frames.size(); ++i) {
      if (!bench.stack.frames[i].signal) continue;
      ++signals;
      EXPECT_FALSE(bench.stack.frames[i].returns_here);
      EXPECT_FALSE(bench.stack.frames[i + 1].returns_here);
      EXPECT_TRUE(bench.stack.frames[i + 2].returns_here);
    }
    EXPECT_EQ(signals, 1u);
    EXPECT_EQ(frames_in(bench.stack, address(raise_on), 150), 1u);
  }
}

Stack stack_by_signal;
Bench* bench_of_signal;
extern "C" void walk_from_context(int, siginfo_t*, void* context) {
  const auto* const where = static_cast<const ucontext_t*>(context);
  const Registers registers = Registers::from_signal(where->uc_mcontext.gregs);
  bench_of_signal->image.adopt(registers, registers.sp(),
                               reinterpret_cast<const void*>(registers.sp()), 4096);
  bench_of_signal->image.allow_more([] { return true; });
  stack_by_signal = bench_of_signal->unwinder.walk(bench_of_signal->image);
}

TEST(Walk, BytesThatAHandlerCopiedAreTaken) {
  Bench bench;
  bench_of_signal = &bench;
  struct sigaction action {};
  action.sa_sigaction = walk_from_context;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGUSR2, &action, nullptr);
  raise(SIGUSR2);
  EXPECT_TRUE(stack_by_signal.whole) << stack_by_signal.trouble;
  EXPECT_GT(stack_by_signal.frames.size(), 5u);
  EXPECT_FALSE(stack_by_signal.frames[0].returns_here);
}

TEST(Walk, BeforeLibunwindIsThereThereIsTheInnermostFrame) {
  AddressSpace space;
  space.refresh();
  Unwinder unwinder(space);
  StackImage image(space);
  Saved saved;
  IMPASSE_SAVE_REGISTERS(saved.r);
  image.copy(saved.registers());
  Stack stack = unwinder.walk(image);
  ASSERT_EQ(stack.frames.size(), 1u);
  EXPECT_EQ(stack.frames[0].pc, saved.r[0]);
  EXPECT_NE(stack.trouble.find("cannot be walked yet"), stack.trouble.npos) << stack.trouble;
  std::thread(&Unwinder::load, &unwinder).join();
  stack = unwinder.walk(image);
  EXPECT_TRUE(stack.whole) << stack.trouble;
  unwinder.reset();
  EXPECT_EQ(unwinder.walk(image).frames.size(), 1u);
  unwinder.load();
  EXPECT_TRUE(unwinder.walk(image).whole);
}

// What a child says of its own stack; 0: it is whole.
int fork_and_walk(Bench& bench, std::string_view trouble) {
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(10);
    bench.space.reset();
    bench.image.reset();
    bench.unwinder.reset();
    bench.unwinder.load();
    bench.space.refresh();
    Saved saved;
    IMPASSE_SAVE_REGISTERS(saved.r);
    const Stack& stack = bench.walk(saved.registers());
    _exit(stack.whole == trouble.empty() && stack.trouble.ends_with(trouble) ? 0 : 1);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return status;
}

TEST(Walk, AForkedChildBeginsAnew) {
  Bench bench;
  at_the_bottom = [&](const Registers& registers) { bench.walk(registers); };
  bottom();
  EXPECT_EQ(fork_and_walk(bench, ""), 0);
}

TEST(Walk, AChildForkedInTheMiddleOfAWalkSaysSo) {
  Bench bench;
  at_the_bottom = [&](const Registers& registers) {
    int status = -1;
    bench.image.copy(registers);
    bench.image.allow_more([&] {
      if (status == -1) status = fork_and_walk(bench, "forked in the middle of a walk");
      return true;
    });
    bench.unwinder.walk(bench.image);
    EXPECT_EQ(status, 0);
  };
  deep(2'000);
}

}  // namespace
}  // namespace impasse::symbolize
