// What an executable file says about itself, as far as it decides whether impasse can be put in
// front of it.
//
// Promises: any file is accepted, nothing in it is trusted; reads are bounded, the file is not
// mapped.
#pragma once

#include <string>
#include <vector>

namespace impasse::command {

struct ElfFile {
  enum class Kind {
    kUnreadable,  // may be executed but not read, or vanished
    kOther,       // not ELF: a script, or nothing that can run
    kForeign,     // ELF, but not for 64-bit x86
    kElf,
  };
  Kind kind = Kind::kUnreadable;
  bool is_32_bit = false;
  std::string interpreter;  // the program loader; empty: statically linked
  std::string soname;
  std::vector<std::string> needed;  // libraries
  std::string
      sanitizer;  // "AddressSanitizer" …, when its run-time library is part of the file; else empty
};

// `fd` is open for reading.
ElfFile read_elf(int fd);

}  // namespace impasse::command
