// Does a word on a stack look like a return address, and does the call before it lead to a
// function?
//
// Promises: decodes the few encodings of a call that compilers make; reads code through the cache
// of pages. Cost: nothing to speak of, once the page of the code is known.
#pragma once

#include <cstdint>

#include "symbolize/address_space.h"

namespace impasse::symbolize {

// The bytes before a return address can be read in two ways: "call F" may as well be the tail of
// other instructions and a "call *%rax".
struct CallSite {
  bool is_call = false;      // the instruction before the address is a call
  bool is_open = false;      // perhaps through a register or memory: not to be told afterwards
  std::uint64_t direct = 0;  // of "call F"; 0: it is none
  std::uint64_t slot = 0;    // what the slot of a "call *slot(%rip)" holds; 0: it is none
};

// Only code of a mapped file counts.
CallSite call_before(AddressSpace& space, std::uint64_t return_address);

enum class Calls : std::uint8_t { kNo, kPerhaps, kYes };

// Whether this call arrives at the function that starts at `function`: itself, or through a stub of
// the linkage table or a jump.
Calls calls(AddressSpace& space, const CallSite& site, std::uint64_t function);

// Whether `pc` is what a handler of a signal returns to: mov $15, %eax or %rax; syscall.
// libunwind's own answer differs from version to version: about this frame, or about the one that
// it led to.
bool returns_from_signal(AddressSpace& space, std::uint64_t pc);

}  // namespace impasse::symbolize
