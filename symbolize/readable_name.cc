#include "symbolize/readable_name.h"

#include <cxxabi.h>

#include <cstddef>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace impasse::symbolize {
namespace {

using Replacement = std::pair<std::string_view, std::string_view>;

// In this order.
constexpr Replacement kReplacements[] = {
    {"[abi:cxx11]", ""},
    {"std::__cxx11::", "std::"},
    {"std::basic_string<char, std::char_traits<char>, std::allocator<char> >", "std::string"},
    {"std::basic_string<char>", "std::string"},  // as debug information writes it
    {"std::basic_string_view<char, std::char_traits<char> >", "std::string_view"},
    {"std::basic_string_view<char>", "std::string_view"},
};

void replace_all(std::string& text, const Replacement& replacement) {
  const auto& [from, to] = replacement;
  std::size_t at = text.find(from);
  while (at != std::string::npos) {
    text.replace(at, from.size(), to);
    at = text.find(from, at + to.size());
  }
}

// No name in a source holds an '@'.
std::size_t version_at(std::string_view name) {
  return name.find('@', 1);
}

}  // namespace

std::string shortened(std::string name) {
  if (const std::size_t at = version_at(name); at != std::string_view::npos) name.resize(at);
  for (const Replacement& replacement : kReplacements) replace_all(name, replacement);
  return name;
}

std::string readable_name(const char* mangled) {
  // Others would be read as types: "i" as "int".
  if (!std::string_view(mangled).starts_with("_Z")) return shortened(mangled);
  const std::string name(std::string_view(mangled).substr(0, version_at(mangled)));
  int status = 0;
  char* const demangled = abi::__cxa_demangle(name.c_str(), nullptr, nullptr, &status);
  std::string text = demangled != nullptr ? demangled : name;
  std::free(demangled);
  return shortened(std::move(text));
}

}  // namespace impasse::symbolize
