#include "symbolize/own_loader_view.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <sys/auxv.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "symbolize/file_identity.h"

namespace impasse::symbolize {
namespace {

constexpr std::size_t kMostHeaders = 64;
constexpr const char* kExecuted = "/proc/self/exe";

constinit thread_local const OwnLoaderView* own __attribute__((tls_model("initial-exec"))) =
    nullptr;

// The file on disk is the one that is mapped. Not by device and inode: layered file systems show
// different ones in the two places.
bool same_on_disk(const Module& module) {
  if (module.deleted) return false;
  const FileIdentity identity = file_identity(module.path.c_str());
  return identity.elf && identity.build_id == module.build_id;
}

// /proc/self/exe leads to its file, whatever became of its path.
bool is_executed(const Module& module) {
  std::array<char, 4096> text;
  const ssize_t got = readlink(kExecuted, text.data(), text.size());
  if (got <= 0) return false;
  std::string_view path(text.data(), static_cast<std::size_t>(got));
  constexpr std::string_view kDeleted = " (deleted)";
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  return path == module.path && file_identity(kExecuted).build_id == module.build_id;
}

// The program headers as they are mapped: how many.
std::size_t read_headers(const Module& module, const system::Memory& memory,
                         std::array<Elf64_Phdr, kMostHeaders>& headers) {
  Elf64_Ehdr file;
  if (!memory.read_all(module.base, &file, sizeof file) ||
      std::memcmp(file.e_ident, ELFMAG, SELFMAG) != 0 || file.e_phentsize != sizeof(Elf64_Phdr) ||
      file.e_phoff > module.end - module.base) {
    return 0;
  }
  const std::size_t count = std::min<std::size_t>(file.e_phnum, headers.size());
  const std::uint64_t at = module.base + file.e_phoff;
  return memory.read_all(at, headers.data(), count * sizeof(Elf64_Phdr)) ? count : 0;
}

}  // namespace

OwnLoaderView::OwnLoaderView(const AddressSpace& space) : space_(space), before_(own) {
  // The loader keeps this right when it was itself started with the program as its argument.
  main_ = space.module(getauxval(AT_PHDR));
  if (main_ != nullptr && !same_on_disk(*main_) && !is_executed(*main_)) {
    main_ = nullptr;
    ++replaced_;
  }
  if (main_ != nullptr) modules_.push_back(main_);
  for (const Module& module : space.modules().all()) {
    if (&module == main_ || !module.from_its_start || !module.executable ||
        !module.path.starts_with('/')) {
      continue;
    }
    if (same_on_disk(module)) {
      modules_.push_back(&module);
    } else {
      ++replaced_;
    }
  }
  own = this;
}

OwnLoaderView::~OwnLoaderView() {
  own = before_;
}

std::string OwnLoaderView::file_of_main() const {
  if (main_ == nullptr) return modules_.empty() ? std::string() : modules_.front()->path;
  return is_executed(*main_) ? kExecuted : main_->path;
}

const OwnLoaderView* OwnLoaderView::present() {
  return own;
}

bool OwnLoaderView::has(const Module& module) const {
  return std::find(modules_.begin(), modules_.end(), &module) != modules_.end();
}

}  // namespace impasse::symbolize

// NOLINTBEGIN(readability-identifier-naming): the linker's names
extern "C" {

using impasse::symbolize::Module;
using impasse::symbolize::OwnLoaderView;

int __wrap_dl_iterate_phdr(int (*callback)(dl_phdr_info* info, std::size_t bytes, void* data),
                           void* data) {
  const OwnLoaderView* const view = OwnLoaderView::present();
  if (view == nullptr) return 0;
  for (const Module* const module : view->modules()) {
    std::array<Elf64_Phdr, impasse::symbolize::kMostHeaders> headers;
    dl_phdr_info info{};
    info.dlpi_addr = module->bias;
    info.dlpi_name = view->is_main(*module) ? "" : module->path.c_str();
    info.dlpi_phdr = headers.data();
    info.dlpi_phnum = static_cast<Elf64_Half>(
        impasse::symbolize::read_headers(*module, view->space().memory(), headers));
    if (info.dlpi_phnum == 0) continue;
    const int result = callback(&info, sizeof info, data);
    if (result != 0) return result;
  }
  return 0;
}

int __wrap_dladdr(const void* address, Dl_info* info) {
  const OwnLoaderView* const view = OwnLoaderView::present();
  const Module* const module =
      view == nullptr ? nullptr : view->space().module(reinterpret_cast<std::uintptr_t>(address));
  if (module == nullptr) return 0;
  *info = {module->path.c_str(), reinterpret_cast<void*>(module->base), nullptr, nullptr};
  return 1;
}

}  // extern "C"
// NOLINTEND(readability-identifier-naming)
