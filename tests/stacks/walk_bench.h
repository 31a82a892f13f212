// What tests of walks share: an unwinder that is ready, and frames to walk.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>

#include "interpose/registers.h"
#include "symbolize/unwinder.h"

namespace impasse::symbolize {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

struct Saved {
  std::uint64_t r[8];
  Registers registers() const {
    return Registers::from_saved(r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7]);
  }
};

// What every test needs, made ready.
struct Bench {
  AddressSpace space;
  Unwinder unwinder{space};
  StackImage image{space};
  Stack stack;

  Bench() {
    unwinder.load();
    EXPECT_TRUE(unwinder.ready());
    space.refresh();
  }
  const Stack& walk(const Registers& registers, const WalkLimits& limits = {}) {
    image.copy(registers);
    image.allow_more([] { return true; });
    return stack = unwinder.walk(image, limits);
  }
};

inline std::uint64_t address(const void* pointer) {
  return reinterpret_cast<std::uint64_t>(pointer);
}
template <typename R, typename... A>
std::uint64_t address(R (*function)(A...)) {
  return reinterpret_cast<std::uint64_t>(function);
}

// How many frames return into the first bytes of the function.
inline std::size_t frames_in(const Stack& stack, std::uint64_t function,
                             std::uint64_t bytes = 400) {
  std::size_t count = 0;
  for (const Frame& frame : stack.frames) {
    count += frame.pc >= function && frame.pc < function + bytes ? 1 : 0;
  }
  return count;
}

// The walk is made while the frames stand: by the innermost of them.
inline std::function<void(const Registers&)> at_the_bottom;
inline volatile int sink;

__attribute__((noinline)) inline void bottom() {
  Saved saved;
  IMPASSE_SAVE_REGISTERS(saved.r);
  at_the_bottom(saved.registers());
  sink = sink + 1;
}

__attribute__((noinline)) inline void deep(int frames) {
  volatile char bytes[48];
  bytes[0] = static_cast<char>(frames);
  if (frames == 0) {
    bottom();
  } else {
    deep(frames - 1);
  }
  sink = sink + bytes[0];
}

}  // namespace impasse::symbolize
