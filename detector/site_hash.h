// Hashes over call sites: what makes two troubles look alike.
#pragma once

#include <cstdint>

namespace impasse {

constexpr std::uint64_t mix_site(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e37'79b9'7f4a'7c15;
  return hash ^ (hash >> 29);
}

}  // namespace impasse
