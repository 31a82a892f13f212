// Names of C++ functions as a reader of a report wants them: who, not with which parameters.
//
// Promises: any bytes are accepted and come back printable; cost is linear in the name.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace impasse::report {

// "void Storage::read<int>(std::string const&) const" → "Storage::read<int>". Template arguments
// that are longer than `arguments` become "<…>", parameter lists inside the name "(…)".
std::string short_function(std::string_view demangled, std::size_t arguments = 24);

// It only passes a lock call on: a wrapper of the C++ library, not the place that a reader looks
// for.
bool is_library_wrapper(std::string_view function, std::string_view file);

}  // namespace impasse::report
