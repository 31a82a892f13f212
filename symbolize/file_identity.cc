#include "symbolize/file_identity.h"

#include <elf.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>

#include "symbolize/build_id.h"

namespace impasse::symbolize {
namespace {

constexpr std::size_t kMostHeaders = 64;
constexpr std::size_t kMostNoteBytes = 4096;

// How many bytes could be read.
std::size_t read_at(int fd, std::uint64_t offset, void* into, std::size_t bytes) {
  const ssize_t got = pread(fd, into, bytes, static_cast<off_t>(offset));
  return got > 0 ? static_cast<std::size_t>(got) : 0;
}

std::string build_id_at(int fd, std::uint64_t offset, std::uint64_t bytes) {
  std::array<unsigned char, kMostNoteBytes> notes;
  const std::size_t got =
      read_at(fd, offset, notes.data(), std::min<std::uint64_t>(bytes, notes.size()));
  return build_id_among(std::span(notes).first(got));
}

// A file of separate debug information has program headers that lead nowhere; its sections tell.
template <typename Header>
std::string build_id_by(int fd, std::uint64_t table, std::size_t count, std::uint32_t note) {
  std::array<Header, kMostHeaders> headers;
  const std::size_t got =
      read_at(fd, table, headers.data(), std::min(count, kMostHeaders) * sizeof(Header));
  std::string found;
  for (const Header& header : std::span(headers).first(got / sizeof(Header))) {
    if constexpr (std::is_same_v<Header, Elf64_Phdr>) {
      if (header.p_type == note) found = build_id_at(fd, header.p_offset, header.p_filesz);
    } else {
      if (header.sh_type == note) found = build_id_at(fd, header.sh_offset, header.sh_size);
    }
    if (!found.empty()) break;
  }
  return found;
}

bool has_debug_sections(int fd, const Elf64_Ehdr& file) {
  std::array<Elf64_Shdr, kMostHeaders> sections;
  const std::size_t count =
      read_at(fd, file.e_shoff, sections.data(),
              std::min<std::size_t>(file.e_shnum, kMostHeaders) * sizeof(Elf64_Shdr)) /
      sizeof(Elf64_Shdr);
  if (file.e_shstrndx >= count) return false;
  const Elf64_Shdr& names = sections[file.e_shstrndx];
  for (const Elf64_Shdr& section : std::span(sections).first(count)) {
    std::array<char, 16> name{};
    const std::size_t got =
        read_at(fd, names.sh_offset + section.sh_name, name.data(), name.size() - 1);
    const std::string_view text(name.data(), strnlen(name.data(), got));
    if (text == ".debug_info" || text == ".zdebug_info") return section.sh_type != SHT_NOBITS;
  }
  return false;
}

}  // namespace

FileIdentity file_identity(const char* path) {
  FileIdentity identity;
  // A path may lead to a pipe or a device by now: never wait there.
  const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return identity;
  identity.readable = true;
  Elf64_Ehdr file;
  if (read_at(fd, 0, &file, sizeof file) == sizeof file &&
      std::memcmp(file.e_ident, ELFMAG, SELFMAG) == 0 && file.e_ident[EI_CLASS] == ELFCLASS64 &&
      file.e_machine == EM_X86_64) {
    identity.elf = true;
    if (file.e_shentsize == sizeof(Elf64_Shdr) && file.e_shoff != 0) {
      identity.build_id = build_id_by<Elf64_Shdr>(fd, file.e_shoff, file.e_shnum, SHT_NOTE);
      identity.has_debug_information = has_debug_sections(fd, file);
    }
    if (identity.build_id.empty() && file.e_phentsize == sizeof(Elf64_Phdr)) {
      identity.build_id = build_id_by<Elf64_Phdr>(fd, file.e_phoff, file.e_phnum, PT_NOTE);
    }
  }
  close(fd);
  return identity;
}

}  // namespace impasse::symbolize
