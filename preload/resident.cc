#include "preload/resident.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "symbolize/unwind_library.h"
#include "system/memory.h"

// The linker's names, for the beginning of this object and for the end of what stays (standing.ld).
extern "C" const Elf64_Ehdr __ehdr_start __attribute__((visibility("hidden")));
extern "C" const char impasse_standing_end __attribute__((visibility("hidden")));

namespace impasse {
namespace {

constexpr std::uint64_t kPresent = std::uint64_t{1} << 63;
constexpr std::uint64_t kSwapped = std::uint64_t{1} << 62;
constexpr std::uint64_t kOfFile = std::uint64_t{1} << 61;
constexpr std::size_t kMostParts = 12;
constexpr std::size_t kMostImages = 4;
constexpr std::size_t kPagesAtOnce = 128;

// What the kernel tells of each page of ours.
class PageMap {
 public:
  PageMap() : fd_(open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC)) {}
  ~PageMap() {
    if (fd_ >= 0) close(fd_);
  }
  PageMap(const PageMap&) = delete;
  PageMap& operator=(const PageMap&) = delete;

  // How many entries could be read.
  std::size_t read(std::uint64_t page, std::size_t pages, std::uint64_t* into) const {
    const ssize_t n =
        pread(fd_, into, pages * sizeof *into, static_cast<off_t>(page * sizeof *into));
    return n <= 0 ? 0 : static_cast<std::size_t>(n) / sizeof *into;
  }

 private:
  int fd_;
};

bool is_private(std::uint64_t entry) {
  return (entry & kSwapped) != 0 || ((entry & kPresent) != 0 && (entry & kOfFile) == 0);
}

void give_back(std::uint64_t first, std::uint64_t end, std::uint64_t page_bytes) {
  if (first == end) return;
  madvise(reinterpret_cast<void*>(first * page_bytes), (end - first) * page_bytes, MADV_DONTNEED);
}

void give_back_file_pages(const PageMap& map, std::uint64_t first, std::uint64_t end,
                          std::uint64_t page_bytes) {
  std::array<std::uint64_t, kPagesAtOnce> entries;
  while (first < end) {
    const std::size_t read =
        map.read(first, std::min<std::uint64_t>(kPagesAtOnce, end - first), entries.data());
    if (read == 0) return;
    std::uint64_t begin = first;
    for (std::size_t i = 0; i < read; ++i) {
      if (!is_private(entries[i])) continue;
      give_back(begin, first + i, page_bytes);
      begin = first + i + 1;
    }
    first += read;
    give_back(begin, first, page_bytes);
  }
}

// A page that is needed again brings along its neighbours of the same mapping, hundreds where the
// kernel keeps the file in large pieces. Any flag of its own makes a mapping of its own.
void part_from_neighbour(std::uint64_t start, std::uint64_t end) {
  madvise(reinterpret_cast<void*>(start), end - start, MADV_NOHUGEPAGE);
}

struct Image {
  std::uint64_t base = 0;
  std::uint64_t stays_until = 0;  // what comes after it in its part is not needed for now
  std::array<Elf64_Phdr, kMostParts> parts{};
  std::size_t count = 0;  // 0: it is no ELF file
};

void read_parts(const system::Memory& memory, Image& image) {
  Elf64_Ehdr header;
  if (!memory.read_all(image.base, &header, sizeof header) ||
      std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) {
    return;
  }
  const std::size_t count = std::min<std::size_t>(header.e_phnum, kMostParts);
  const std::size_t bytes = count * sizeof(Elf64_Phdr);
  if (memory.read_all(image.base + header.e_phoff, image.parts.data(), bytes)) image.count = count;
}

// This object is the last: what is called after its code has gone brings it back.
std::size_t read_images(std::array<Image, kMostImages>& images) {
  const system::Memory memory;
  std::size_t known = 0;
  for (const std::uint64_t base : symbolize::unwind_library_images()) {
    if (known + 1 < kMostImages) images[known++].base = base;
  }
  images[known].base = reinterpret_cast<std::uint64_t>(&__ehdr_start);
  images[known++].stays_until = reinterpret_cast<std::uint64_t>(&impasse_standing_end);
  for (std::size_t i = 0; i < known; ++i) read_parts(memory, images[i]);
  return known;
}

// The parts that nobody writes to.
void give_back_image(const PageMap& map, const Image& image, std::uint64_t page_bytes) {
  for (std::size_t i = 0; i < image.count; ++i) {
    const Elf64_Phdr& part = image.parts[i];
    if (part.p_type != PT_LOAD || (part.p_flags & PF_W) != 0) continue;
    std::uint64_t start = image.base + part.p_vaddr;
    const std::uint64_t end = start + part.p_memsz;
    if (start <= image.stays_until && image.stays_until < end) {
      start = image.stays_until;
      part_from_neighbour(start, end);
    }
    give_back_file_pages(map, start / page_bytes, (end + page_bytes - 1) / page_bytes, page_bytes);
  }
}

}  // namespace

void Resident::after_turn(bool at_work) {
  if (at_work) {
    quiet_turns_ = 0;
    return;
  }
  if (quiet_turns_ > kRestAfterTurns || ++quiet_turns_ != kRestAfterTurns) return;
  std::array<Image, kMostImages> images;
  const std::size_t known = read_images(images);
  const PageMap map;
  const auto page_bytes = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  for (std::size_t i = 0; i < known; ++i) give_back_image(map, images[i], page_bytes);
}

}  // namespace impasse
