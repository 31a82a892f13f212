// A mangled name as a reader wants it.
//
// Promises: whatever is no mangled name is not demangled. Shortens only what says the same twice:
// std::string and std::string_view by their names, no inline namespace std::__cxx11, no
// [abi:cxx11]; and a symbol's version ("…@@GLIBC_2.34") is no part of the name.
#pragma once

#include <string>

namespace impasse::symbolize {

std::string readable_name(const char* mangled);
// The same for a name that is demangled already.
std::string shortened(std::string name);

}  // namespace impasse::symbolize
