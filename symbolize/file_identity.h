// The build-id that an ELF file on disk carries: tells whether it is the file that was mapped.
//
// Promises: plain system calls, bounded reads, no allocation but the text; a wrong or hostile file
// has no build-id.
#pragma once

#include <string>

namespace impasse::symbolize {

struct FileIdentity {
  bool readable = false;  // it could be opened
  bool elf = false;       // for this machine
  std::string build_id;   // hexadecimal; empty: none
  bool has_debug_information = false;
};

FileIdentity file_identity(const char* path);

}  // namespace impasse::symbolize
