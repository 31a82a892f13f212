#include "command/elf_file.h"

#include <elf.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

namespace impasse::command {
namespace {

constexpr std::size_t kMostHeaders = 65'535;
constexpr std::size_t kMostDynamic = 16'384;
constexpr std::size_t kMostText = 4'096;
constexpr std::size_t kBlock = std::size_t{1} << 20;

// A symbol that only a sanitizer's run-time library defines.
struct Mark {
  std::string_view symbol;
  const char* sanitizer;
};
constexpr Mark kMarks[] = {{"__asan_init", "AddressSanitizer"},
                           {"__tsan_init", "ThreadSanitizer"},
                           {"__msan_init", "MemorySanitizer"}};

class Reader {
 public:
  explicit Reader(int fd) : fd_(fd) {}
  ElfFile take();

 private:
  // How many bytes there are at this place of the file, at most `bytes`.
  std::size_t read_some(std::uint64_t offset, void* into, std::size_t bytes) const {
    std::size_t done = 0;
    while (done < bytes && offset + done < size_) {
      const ssize_t n = pread(fd_, static_cast<char*>(into) + done, bytes - done,
                              static_cast<off_t>(offset + done));
      if (n <= 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }
  template <typename T>
  bool read(std::uint64_t offset, T& into) const {
    return read_some(offset, &into, sizeof into) == sizeof into;
  }
  template <typename T>
  std::vector<T> read_table(std::uint64_t offset, std::uint64_t count) const {
    std::vector<T> table(static_cast<std::size_t>(count));
    table.resize(read_some(offset, table.data(), table.size() * sizeof(T)) / sizeof(T));
    return table;
  }
  std::string read_text(std::uint64_t offset, std::uint64_t most) const {
    std::array<char, kMostText> text;
    const std::size_t n =
        read_some(offset, text.data(), std::min<std::uint64_t>(most, text.size()));
    return {text.data(), strnlen(text.data(), n)};
  }
  std::optional<std::uint64_t> file_offset(std::uint64_t address) const;
  void read_dynamic(const Elf64_Phdr& segment);
  void look_for_sanitizer(const Elf64_Ehdr& header, std::uint32_t type);
  std::vector<std::pair<std::uint64_t, const Mark*>> find_marks(const Elf64_Shdr& names) const;

  int fd_;
  std::uint64_t size_ = 0;
  std::vector<Elf64_Phdr> segments_;
  ElfFile elf_;
};

std::optional<std::uint64_t> Reader::file_offset(std::uint64_t address) const {
  for (const Elf64_Phdr& segment : segments_) {
    if (segment.p_type == PT_LOAD && address >= segment.p_vaddr &&
        address - segment.p_vaddr < segment.p_filesz) {
      return segment.p_offset + (address - segment.p_vaddr);
    }
  }
  return std::nullopt;
}

void Reader::read_dynamic(const Elf64_Phdr& segment) {
  const auto entries = read_table<Elf64_Dyn>(
      segment.p_offset,
      std::min<std::uint64_t>(segment.p_filesz / sizeof(Elf64_Dyn), kMostDynamic));
  std::optional<std::uint64_t> names;
  for (const Elf64_Dyn& entry : entries) {
    if (entry.d_tag == DT_STRTAB) names = file_offset(entry.d_un.d_ptr);
  }
  if (!names) return;
  for (const Elf64_Dyn& entry : entries) {
    if (entry.d_tag == DT_NULL) break;
    if (entry.d_tag == DT_NEEDED) {
      elf_.needed.push_back(read_text(*names + entry.d_un.d_val, kMostText));
    }
    if (entry.d_tag == DT_SONAME) elf_.soname = read_text(*names + entry.d_un.d_val, kMostText);
  }
}

// Where in this table of names the marks stand. (A linker may also store a name as the end of a
// longer one; no run-time library has such a longer one.)
std::vector<std::pair<std::uint64_t, const Mark*>> Reader::find_marks(
    const Elf64_Shdr& names) const {
  std::vector<std::pair<std::uint64_t, const Mark*>> found;
  std::vector<char> block(kBlock);
  const std::uint64_t end = std::min(names.sh_size, size_);
  constexpr std::size_t kOverlap = 64;  // longer than any mark
  for (std::uint64_t start = 0; start < end; start += kBlock - kOverlap) {
    const std::size_t n = read_some(names.sh_offset + start, block.data(),
                                    std::min<std::uint64_t>(kBlock, end - start));
    const std::string_view text(block.data(), n);
    for (const Mark& mark : kMarks) {
      const std::string whole =
          std::string(1, '\0') + std::string(mark.symbol) + std::string(1, '\0');
      const std::size_t at = text.find(whole);
      if (at != std::string_view::npos) found.emplace_back(start + at + 1, &mark);
    }
    if (n < kBlock) break;
  }
  return found;
}

void Reader::look_for_sanitizer(const Elf64_Ehdr& header, std::uint32_t type) {
  if (header.e_shentsize != sizeof(Elf64_Shdr) || header.e_shoff == 0) return;
  const auto sections =
      read_table<Elf64_Shdr>(header.e_shoff, std::min<std::size_t>(header.e_shnum, kMostHeaders));
  for (const Elf64_Shdr& section : sections) {
    if (section.sh_type != type || section.sh_link >= sections.size()) continue;
    const auto marks = find_marks(sections[section.sh_link]);
    if (marks.empty()) continue;
    // Named is not enough: a program may ask whether it runs under a sanitizer. Defined is.
    const std::uint64_t count = std::min(section.sh_size, size_) / sizeof(Elf64_Sym);
    for (std::uint64_t done = 0; done < count;) {
      const auto symbols =
          read_table<Elf64_Sym>(section.sh_offset + done * sizeof(Elf64_Sym),
                                std::min<std::uint64_t>(count - done, kBlock / sizeof(Elf64_Sym)));
      if (symbols.empty()) break;
      done += symbols.size();
      for (const Elf64_Sym& symbol : symbols) {
        if (symbol.st_shndx == SHN_UNDEF) continue;
        for (const auto& [name, mark] : marks) {
          if (symbol.st_name == name) elf_.sanitizer = mark->sanitizer;
        }
      }
    }
  }
}

ElfFile Reader::take() {
  struct stat facts {};
  if (fstat(fd_, &facts) != 0 || !S_ISREG(facts.st_mode)) return elf_;
  size_ = static_cast<std::uint64_t>(facts.st_size);
  elf_.kind = ElfFile::Kind::kOther;
  std::array<unsigned char, EI_NIDENT> ident{};
  if (!read(0, ident) || std::memcmp(ident.data(), ELFMAG, SELFMAG) != 0) return elf_;
  elf_.kind = ElfFile::Kind::kForeign;
  elf_.is_32_bit = ident[EI_CLASS] == ELFCLASS32;
  Elf64_Ehdr header{};
  if (ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB || !read(0, header) ||
      header.e_machine != EM_X86_64) {
    return elf_;
  }
  elf_.kind = ElfFile::Kind::kElf;
  if (header.e_phentsize == sizeof(Elf64_Phdr)) {
    segments_ = read_table<Elf64_Phdr>(header.e_phoff, header.e_phnum);
  }
  for (const Elf64_Phdr& segment : segments_) {
    if (segment.p_type == PT_INTERP)
      elf_.interpreter = read_text(segment.p_offset, segment.p_filesz);
    if (segment.p_type == PT_DYNAMIC) read_dynamic(segment);
  }
  look_for_sanitizer(header, SHT_DYNSYM);
  if (elf_.sanitizer.empty()) look_for_sanitizer(header, SHT_SYMTAB);
  return elf_;
}

}  // namespace

ElfFile read_elf(int fd) {
  return Reader(fd).take();
}

}  // namespace impasse::command
