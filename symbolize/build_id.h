// The build-id among the notes of an ELF file, mapped or on disk.
//
// Promises: a pure function; any bytes are accepted; empty: there is none.
#pragma once

#include <elf.h>

#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace impasse::symbolize {

inline std::string hexadecimal(std::span<const unsigned char> bytes) {
  std::string text;
  for (const unsigned char byte : bytes) {
    text += "0123456789abcdef"[byte >> 4];
    text += "0123456789abcdef"[byte & 15];
  }
  return text;
}

// A name or a value of a note is followed by bytes that round it up to four.
inline std::size_t rounded(std::size_t bytes) {
  return (bytes + 3) & ~std::size_t{3};
}

inline std::string build_id_among(std::span<const unsigned char> notes) {
  constexpr std::size_t kMostIdBytes = 64;
  constexpr std::string_view kGnu("GNU\0", 4);
  while (notes.size() >= sizeof(Elf64_Nhdr)) {
    Elf64_Nhdr header;
    std::memcpy(&header, notes.data(), sizeof header);
    notes = notes.subspan(sizeof header);
    const std::size_t name = rounded(header.n_namesz);
    const std::size_t value = rounded(header.n_descsz);
    if (name > notes.size() || value > notes.size() - name) break;
    if (header.n_type == NT_GNU_BUILD_ID && header.n_namesz == kGnu.size() &&
        header.n_descsz <= kMostIdBytes &&
        std::memcmp(notes.data(), kGnu.data(), kGnu.size()) == 0) {
      return hexadecimal(notes.subspan(name, header.n_descsz));
    }
    notes = notes.subspan(name + value);
  }
  return {};
}

}  // namespace impasse::symbolize
