// The name of a global variable and the distance of an address from its beginning.
#pragma once

#include <cstdint>
#include <string>

namespace impasse::symbolize {

struct DataName {
  std::string name;  // demangled
  std::uint64_t offset = 0;
};

}  // namespace impasse::symbolize
