// Walks of what is no stack: code without unwind information, modules that are gone, wrong
// registers, chance bytes. They end soon, say why, and crash nothing.
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "tests/stacks/walk_bench.h"

namespace impasse::symbolize {
namespace {

// push rbp; mov rbp, rsp; call rdi; pop rbp; ret: a frame pointer that tempts.
constexpr unsigned char kCode[] = {0x55, 0x48, 0x89, 0xe5, 0xff, 0xd7, 0x5d, 0xc3};

TEST(WrongStack, CodeMadeAtRunTimeEndsItAndSaysSo) {
  void* const code =
      mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(code, kCode, sizeof kCode);
  for (const int protection : {PROT_READ | PROT_EXEC, PROT_READ | PROT_WRITE | PROT_EXEC}) {
    mprotect(code, 4096, protection);
    Bench bench;
    at_the_bottom = [&](const Registers& registers) { bench.walk(registers); };
    reinterpret_cast<void (*)(void (*)())>(code)(bottom);
    EXPECT_FALSE(bench.stack.whole);
    EXPECT_NE(bench.stack.trouble.find("code made at run time"), std::string::npos)
        << bench.stack.trouble;
    ASSERT_FALSE(bench.stack.frames.empty());
    EXPECT_EQ(bench.stack.frames.back().pc, address(code) + 6);
  }
  munmap(code, 4096);
}

// Its mapping is gone from the list, as after dlclose() under a stuck thread.
TEST(WrongStack, AModuleThatVanishedEndsIt) {
  Bench bench;
  at_the_bottom = [&](const Registers& registers) {
    const Place here = *bench.space.modules().find(address(bottom));
    std::string maps;
    const std::string all = bench.space.maps();
    for (std::size_t at = 0; at < all.size();) {
      const std::size_t end = all.find('\n', at) + 1;
      const std::string line = all.substr(at, end - at);
      if (line.find(here.module->path) == line.npos || line.find("r-xp") == line.npos) maps += line;
      at = end;
    }
    bench.space.refresh_from(maps);
    bench.walk(registers);
    EXPECT_EQ(bench.stack.frames.size(), 1u);
    EXPECT_FALSE(bench.stack.whole);
    EXPECT_NE(bench.stack.trouble.find("no code at"), std::string::npos) << bench.stack.trouble;
  };
  deep(3);
}

TEST(WrongStack, WrongRegistersCrashNothing) {
  Bench bench;
  std::mt19937_64 random(11);
  Saved here;
  IMPASSE_SAVE_REGISTERS(here.r);
  for (int round = 0; round < 3'000; ++round) {
    std::uint64_t r[8];
    for (int i = 0; i < 8; ++i) {
      r[i] = random() % 3 == 0 ? here.r[i] + random() % 512 : random() >> random() % 64;
    }
    const Stack& stack =
        bench.walk(Registers::from_saved(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]));
    ASSERT_FALSE(stack.frames.empty());
    ASSERT_TRUE(stack.whole || !stack.trouble.empty());
    bench.walk(Registers::from_system_call(r[0], r[1]));
  }
}

// A word that belongs on a stack as often as chance allows.
std::uint64_t likely_word(const Bench& bench, std::mt19937_64& random, std::uint64_t stack) {
  const auto& modules = bench.space.modules().all();
  const Module& module = modules[random() % modules.size()];
  switch (random() % 4) {
    case 0:
      return module.base + random() % (module.end - module.base);
    case 1:
      return stack + random() % 65536 / 8 * 8;
    case 2:
      return random();
    default:
      return 0;
  }
}

TEST(WrongStack, StacksOfChanceEndSoon) {
  Bench bench;
  std::mt19937_64 random(12);
  constexpr std::size_t kBytes = 65536;
  void* const memory =
      mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  bench.space.refresh();
  auto* const words = static_cast<std::uint64_t*>(memory);
  Clock::duration longest{};
  for (int round = 0; round < 2'000; ++round) {
    for (std::size_t i = 0; i < kBytes / 8; ++i)
      words[i] = likely_word(bench, random, address(memory));
    const auto& modules = bench.space.modules().all();
    const Module& module = modules[random() % modules.size()];
    const std::uint64_t pc = module.base + random() % (module.end - module.base);
    const auto begin = Clock::now();
    const Stack& stack = bench.walk(Registers::from_system_call(pc, address(memory) + 256));
    longest = std::max(longest, Clock::now() - begin);
    ASSERT_FALSE(stack.frames.empty());
    ASSERT_TRUE(stack.whole || !stack.trouble.empty());
  }
  EXPECT_LT(longest, 2s);
  RecordProperty("microseconds", static_cast<int>(longest / 1us));
  munmap(memory, kBytes);
}

// A true stack with some words changed.
TEST(WrongStack, DamagedStacksEndSoon) {
  Bench bench;
  std::mt19937_64 random(13);
  at_the_bottom = [&](const Registers& registers) {
    const std::uint64_t sp = registers.sp();
    const std::size_t size = bench.space.mapping(sp)->end - sp;
    std::vector<std::uint64_t> bytes(std::min<std::size_t>(size, 16384) / 8);
    for (int round = 0; round < 3'000; ++round) {
      memcpy(bytes.data(), reinterpret_cast<const void*>(sp), bytes.size() * 8);
      for (int i = 0; i < 8; ++i) {
        bytes[random() % std::min<std::size_t>(bytes.size(), 200)] = likely_word(bench, random, sp);
      }
      bench.image.adopt(
          round % 2 != 0 ? registers : Registers::from_system_call(registers.pc(), sp), sp,
          bytes.data(), bytes.size() * 8);
      const Stack stack = bench.unwinder.walk(bench.image);
      ASSERT_FALSE(stack.frames.empty());
      ASSERT_TRUE(stack.whole || !stack.trouble.empty());
    }
  };
  deep(10);
}

}  // namespace
}  // namespace impasse::symbolize
