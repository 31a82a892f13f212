// What a program of these tests asks the object that is preloaded into it: names for addresses of
// its own, while it is in whatever state it is in.
#pragma once

#include <cstddef>
#include <cstdint>

struct Question {
  std::uint64_t address;
  bool data;          // of a variable
  bool returns_here;  // address is a return address
};

// "ask_names" of the object; answers on standard output by a thread of the object's own, then ends
// the process: 0, or 9 when there is no answer in time.
using AskNames = void(const Question* questions, std::size_t count);
