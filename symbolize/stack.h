// A thread's stack as a value: frames from the innermost outwards, with names on them once somebody
// has looked them up.
//
// Promises: plain data; what was not found out says so and is never filled in by a guess that does
// not look like one.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace impasse::symbolize {

// How sure it is that this frame belongs to the stack.
enum class Grade : std::uint8_t {
  kExact,    // by unwind information from known registers
  kChecked,  // a register had to be recovered, and the call before the return address leads here
  kGuessed,  // a register had to be recovered, and the walk from there makes sense
};

// One line of the source that a frame stands for.
struct Source {
  std::string function;    // demangled; empty: not known
  std::string file;        // empty: not known
  std::uint32_t line = 0;  // 0: not known

  friend bool operator==(const Source&, const Source&) = default;
};

struct Frame {
  std::uint64_t pc = 0;
  std::uint64_t stack_pointer = 0;
  Grade grade = Grade::kExact;
  bool returns_here = true;  // pc is a return address: its call stands before it
  bool signal = false;       // a signal was delivered here; the next frame is what it interrupted

  // Names. Functions that were inlined into one another are several sources, the innermost first.
  std::vector<Source> sources;
  std::uint64_t function_offset = 0;  // pc from the start of the function that was not inlined

  friend bool operator==(const Frame&, const Frame&) = default;
};

struct Stack {
  std::vector<Frame> frames;
  // Of a very deep stack the frames in the middle are left out: so many, after so many frames.
  std::uint64_t left_out = 0;
  std::size_t left_out_after = 0;
  bool whole = false;   // it was walked to its outermost frame
  std::string trouble;  // why there is no stack, or why it ends before its end; a clause

  friend bool operator==(const Stack&, const Stack&) = default;
};

}  // namespace impasse::symbolize
