#include "symbolize/unwind_library.h"

#include <dlfcn.h>
#include <link.h>
#include <sys/syscall.h>

#include <atomic>
#include <cstdio>
#include <iterator>

#include "system/call_filter.h"

namespace impasse::symbolize {
namespace {

constexpr const char* kFile = "libunwind-x86_64.so.8";

// What libunwind needs for itself, as its own file says.
constexpr const char* kNeeded[] = {"libunwind.so.8", "liblzma.so.5"};

constinit std::array<std::uint64_t, 1 + std::size(kNeeded)> images{};
constinit std::atomic<std::size_t> images_known{0};

void know_image(void* library, std::size_t& known) {
  const link_map* map = nullptr;
  if (library == nullptr || dlinfo(library, RTLD_DI_LINKMAP, &map) != 0) return;
  images[known++] = map->l_addr;
}

void know_images(void* library) {
  images_known.store(0, std::memory_order_relaxed);
  std::size_t known = 0;
  know_image(library, known);
  for (const char* const file : kNeeded) {
    know_image(dlopen(file, RTLD_NOW | RTLD_LOCAL | RTLD_NOLOAD), known);
  }
  images_known.store(known, std::memory_order_release);
}

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

bool load_unwind_library(UnwindLibrary& library, LoadTrouble& trouble) {
  // libunwind asks it of the kernel while it is loaded.
  if (!system::survives(SYS_mincore, 0, 0, 0)) {
    snprintf(trouble.data(), trouble.size(),
             "a filter of system calls forbids what loading %s does", kFile);
    return false;
  }
  // Never closed: a walk may be going on when the process ends.
  void* const handle = dlopen(kFile, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    const char* const why = dlerror();
    snprintf(trouble.data(), trouble.size(), "%s could not be loaded (%s)", kFile,
             why != nullptr ? why : "no reason given");
    return false;
  }
#define IMPASSE_FIND(name)                                                           \
  if (!find(handle, "_Ux86_64_" #name, library.name)) {                              \
    snprintf(trouble.data(), trouble.size(), "%s has no function %s", kFile, #name); \
    return false;                                                                    \
  }
  IMPASSE_UNWIND_FUNCTIONS(IMPASSE_FIND)
#undef IMPASSE_FIND
  know_images(handle);
  return true;
}

std::span<const std::uint64_t> unwind_library_images() {
  return {images.data(), images_known.load(std::memory_order_acquire)};
}

}  // namespace impasse::symbolize
