// Which file a name on a command line means, found the way a shell does it.
#pragma once

#include <string>

namespace impasse::command {

struct FoundProgram {
  std::string path;
  std::string problem;  // a sentence; empty: `path` can be executed
};

FoundProgram find_program(const std::string& name);

}  // namespace impasse::command
