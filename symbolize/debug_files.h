// Names for the frames of a report, looked up afterwards in files: the programs and libraries
// themselves, and separate debug information.
//
// Promises: a file is used only when its build-id is the one of the module that ran; one that is
// not is refused, and complaints() says so. A name is given when debug information or the size of
// a symbol covers the address; else the frame stays without sources.
// Searched, in this order: the module's own path; in each given directory a file of its build-id
// (DIR/.build-id/xx/yyyy.debug) and any file that has its build-id (an unstripped copy, say);
// /usr/lib/debug/.build-id. For programs of our own, not for the preloaded object.
// Cost: 20 ms for a module with 30 MB of debug information, 64 ms for libc's; then 20 µs a frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "symbolize/data_name.h"
#include "symbolize/stack.h"

namespace impasse::symbolize {

struct MappedFile {
  std::string path;
  std::uint64_t base = 0;
  std::uint64_t end = 0;
  std::string build_id;  // hexadecimal; empty: not known, and nothing is checked
};

class DebugFiles {
 public:
  DebugFiles(const std::vector<MappedFile>& modules, const std::vector<std::string>& directories);
  ~DebugFiles();
  DebugFiles(const DebugFiles&) = delete;
  DebugFiles& operator=(const DebugFiles&) = delete;

  // Frames that no name is found for keep the sources that they have.
  void name(Frame& frame);
  void name(Stack& stack);
  std::optional<DataName> symbol_of_data(std::uint64_t address);

  // What was refused and why, each a sentence.
  const std::vector<std::string>& complaints() const;

 private:
  class Files;
  std::unique_ptr<Files> files_;
};

}  // namespace impasse::symbolize
