// Names for the frames of one burst of reports, looked up in process: function, file and line, with
// every function that was inlined; names of global variables.
//
// Promises: works while another thread holds the loader's lock or the program's malloc lock for
// ever (the calling thread needs an OwnArena for that). A name is given when debug information
// covers the address, or a symbol that covers it by its size and begins where the unwind
// information says that the function begins; else the frame stays without sources. Everything that
// was taken is given back with the Namer. For one thread; only one Namer at a time on it.
// Limit: of a separate file of debug information the symbols are not read: functions have names,
// variables have none (debug_files.h finds them).
// Cost: the first lookup reads the tables of all modules (0.2 s and 70 MiB, mapped files included,
// for a program of 70 MB; 0.08 s and 22 MiB for libc alone), later ones 1 to 60 µs. A later
// dlopen() is not seen: make a new one for each burst. May crash on damaged debug information: see
// crash_guard.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "symbolize/data_name.h"
#include "symbolize/stack.h"

namespace impasse::symbolize {

class Namer {
 public:
  // At most so much memory for debug information; beyond it names are missing.
  static constexpr std::size_t kMostBytes = std::size_t{256} << 20;

  explicit Namer(std::size_t most_bytes = kMostBytes);
  ~Namer();
  Namer(const Namer&) = delete;
  Namer& operator=(const Namer&) = delete;

  // Its sources are made anew; a frame whose pc is the start of a function says returns_here =
  // false.
  void name(Frame& frame);
  void name(Stack& stack);

  std::optional<DataName> symbol_of_data(std::uint64_t address);

  // Why names are missing, as a clause; empty: nothing was in the way.
  std::string trouble() const;

 private:
  class Lookup;
  std::unique_ptr<Lookup> lookup_;
};

}  // namespace impasse::symbolize
