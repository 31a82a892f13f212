#include "symbolize/unwind_library.h"

#include <dlfcn.h>

#include <cstdio>

namespace impasse::symbolize {
namespace {

constexpr const char* kFile = "libunwind-x86_64.so.8";

template <typename Function>
bool find(void* library, const char* name, Function& function) {
  function = reinterpret_cast<Function>(dlsym(library, name));
  return function != nullptr;
}

}  // namespace

bool load_unwind_library(UnwindLibrary& library, LoadTrouble& trouble) {
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
  return true;
}

}  // namespace impasse::symbolize
