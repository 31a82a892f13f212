#include "symbolize/address_space.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <memory>
#include <utility>

#include "symbolize/elf_image.h"

namespace impasse::symbolize {
namespace {

constexpr std::size_t kMostMapsBytes = std::size_t{16} << 20;

}  // namespace

std::string read_maps(std::uint32_t pid) {
  char path[40] = "/proc/self/maps";
  if (pid != 0) snprintf(path, sizeof path, "/proc/%u/maps", pid);
  std::string text;
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0) return text;
  std::size_t size = 0;
  while (size < kMostMapsBytes) {
    if (size == text.size()) text.resize(std::max<std::size_t>(32 << 10, 2 * size));
    const ssize_t got = read(fd, text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    size += static_cast<std::size_t>(got);
  }
  close(fd);
  text.resize(size);
  return text;
}

bool AddressSpace::refresh() {
  const std::string maps = read_maps(memory_.pid());
  if (maps.empty()) {
    pages_.clear();
    return false;
  }
  refresh_from(maps);
  return true;
}

void AddressSpace::refresh_from(std::string_view maps) {
  pages_.clear();
  memory_.look_again();
  if (maps != maps_ || generation_ == 0) {
    maps_ = maps;
    take(Modules::from_maps(maps));
  }
  for (Module& module : modules_.all()) {
    if (!module.image_read) read_image(module, memory_);
  }
}

// Keeps what is known of the images of modules that stayed.
void AddressSpace::take(Modules now) {
  if (generation_ == 0 || !now.same_files(modules_)) ++generation_;
  const auto lower = [](const Module* a, const Module& b) { return a->base < b.base; };
  std::vector<const Module*> known;
  known.reserve(modules_.all().size());
  for (const Module& module : std::as_const(modules_).all()) known.push_back(&module);
  std::sort(known.begin(), known.end(),
            [](const Module* a, const Module* b) { return a->base < b->base; });
  for (Module& module : now.all()) {
    const auto same = std::lower_bound(known.begin(), known.end(), module, lower);
    if (same == known.end() || !(*same)->same_file(module)) continue;
    module.image_read = (*same)->image_read;
    module.bias = (*same)->bias;
    module.build_id = (*same)->build_id;
    module.unwind = (*same)->unwind;
  }
  modules_ = std::move(now);
}

void AddressSpace::rest() {
  pages_.give_back();
  std::string().swap(maps_);
  modules_.forget_mappings();
}

void AddressSpace::reset() {
  pages_.clear();
  memory_.look_again();
  std::construct_at(&maps_);
  std::construct_at(&modules_);
  ++generation_;
}

const Module* AddressSpace::module(std::uint64_t address) const {
  const Mapping* const found = mapping(address);
  return found == nullptr || found->module == kNoModule ? nullptr : &modules_.all()[found->module];
}

bool AddressSpace::is_code(std::uint64_t address) const {
  const Mapping* const found = mapping(address);
  return found != nullptr && found->executable;
}

std::size_t AddressSpace::read(std::uint64_t address, void* into, std::size_t bytes) {
  std::size_t readable = 0;
  while (readable < bytes) {
    const Mapping* const found = mapping(address + readable);
    if (found == nullptr || !found->readable) break;
    readable = std::min<std::size_t>(bytes, found->end - address);
  }
  return pages_.read(memory_, address, into, readable);
}

std::string AddressSpace::name(std::uint64_t address) const {
  char text[32];
  const auto place = modules_.find(address);
  if (place.has_value()) {
    snprintf(text, sizeof text, "+0x%llx", static_cast<unsigned long long>(place->offset));
    return std::string(place->module->name()) + text;
  }
  snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
  return text;
}

}  // namespace impasse::symbolize
