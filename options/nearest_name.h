// "Did you mean …?": the known name that a misspelt one is nearest to.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace impasse {

// Insertions, deletions, replacements and swaps of neighbours that turn one into the other. Names
// longer than kLongestName are as far away as their length.
inline constexpr std::size_t kLongestName = 32;
std::size_t edit_distance(std::string_view a, std::string_view b);

// Empty when none is near enough to be what was meant.
std::string_view nearest_name(std::string_view name, std::span<const std::string_view> known);

}  // namespace impasse
