#include "symbolize/elf_image.h"

#include <elf.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>

#include "symbolize/build_id.h"

namespace impasse::symbolize {
namespace {

constexpr std::uint64_t kPage = 4096;
constexpr std::size_t kMostHeaders = 64;
constexpr std::size_t kMostNoteBytes = 4096;

bool inside(const Module& module, std::uint64_t address, std::uint64_t bytes) {
  return address >= module.base && address <= module.end && bytes <= module.end - address;
}

void read_build_id(Module& module, const Elf64_Phdr& header, const system::Memory& memory) {
  std::array<unsigned char, kMostNoteBytes> notes;
  const std::size_t bytes = std::min<std::size_t>(header.p_memsz, notes.size());
  const std::uint64_t address = module.bias + header.p_vaddr;
  if (!inside(module, address, bytes) || !memory.read_all(address, notes.data(), bytes)) return;
  std::string found = build_id_among(std::span(notes).first(bytes));
  if (!found.empty()) module.build_id = std::move(found);
}

// False: it could not be read, which may be different later (the loader is still at work).
bool read_unwind_table(Module& module, const Elf64_Phdr& header, const system::Memory& memory) {
  struct Start {
    unsigned char version, frame_encoding, count_encoding, table_encoding;
    std::int32_t frames;
    std::uint32_t count;
  } start;
  constexpr unsigned char kFourBytes = 0x03;            // DW_EH_PE_udata4
  constexpr unsigned char kFourBytesFromHeader = 0x3b;  // DW_EH_PE_datarel | DW_EH_PE_sdata4
  constexpr std::uint64_t kEntryBytes = 8;
  const std::uint64_t address = module.bias + header.p_vaddr;
  if (!inside(module, address, sizeof start)) return true;
  if (!memory.read_all(address, &start, sizeof start)) return false;
  const std::uint64_t entries = address + sizeof start;
  if (start.version != 1 || start.count_encoding != kFourBytes ||
      start.table_encoding != kFourBytesFromHeader || start.count == 0 ||
      !inside(module, entries, start.count * kEntryBytes)) {
    return true;
  }
  module.unwind = {address, entries, start.count};
  return true;
}

}  // namespace

void read_image(Module& module, const system::Memory& memory) {
  module.bias = module.base;
  module.build_id.clear();
  module.unwind = {};
  module.image_read = true;
  if (!module.executable || !module.from_its_start) return;

  Elf64_Ehdr file;
  module.image_read = memory.read_all(module.base, &file, sizeof file);
  if (!module.image_read || std::memcmp(file.e_ident, ELFMAG, SELFMAG) != 0 ||
      file.e_ident[EI_CLASS] != ELFCLASS64 || file.e_phentsize != sizeof(Elf64_Phdr)) {
    return;
  }
  std::array<Elf64_Phdr, kMostHeaders> headers;
  const std::size_t count = std::min<std::size_t>(file.e_phnum, headers.size());
  const std::uint64_t at = module.base + file.e_phoff;
  if (file.e_phoff > module.end - module.base || !inside(module, at, count * sizeof(Elf64_Phdr))) {
    return;
  }
  module.image_read = memory.read_all(at, headers.data(), count * sizeof(Elf64_Phdr));
  if (!module.image_read) return;

  const auto all = std::span(headers).first(count);
  std::uint64_t lowest = ~std::uint64_t{0};
  for (const Elf64_Phdr& header : all) {
    if (header.p_type == PT_LOAD) lowest = std::min(lowest, header.p_vaddr & ~(kPage - 1));
  }
  if (lowest == ~std::uint64_t{0}) return;
  module.bias = module.base - lowest;
  for (const Elf64_Phdr& header : all) {
    if (header.p_type == PT_NOTE && module.build_id.empty()) {
      read_build_id(module, header, memory);
    } else if (header.p_type == PT_GNU_EH_FRAME && !read_unwind_table(module, header, memory)) {
      module.image_read = false;
    }
  }
}

}  // namespace impasse::symbolize
