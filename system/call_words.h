// The arguments of a system call in words: "fd 12, tcp 127.0.0.1:51544 → 127.0.0.1:9443",
// "3 descriptors, no time limit".
//
// Promises: reads the process's memory only through Memory; what is not there is said; every array
// and text is bounded. Times left are as of now.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

#include "system/descriptors.h"
#include "system/memory.h"
#include "system/proc_files.h"

namespace impasse::system {

struct CallContext {
  const ProcFiles& process;
  std::uint32_t tid;
  const Memory& memory;
  Descriptors& descriptors;
};

// `words` is an entry of system_calls.def.
std::string call_words(std::string_view words, const std::array<std::uint64_t, 6>& arguments,
                       const CallContext& context);

// Each {…} in `words` is known; for a test of the table.
bool words_known(std::string_view words);

}  // namespace impasse::system
