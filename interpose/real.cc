#include "interpose/real.h"

#include <dlfcn.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <type_traits>

namespace impasse::real {
namespace {

// dlsym frees the text of an older error: a free() that asks dlsym for free() would never end.
thread_local constinit bool finding __attribute__((tls_model("initial-exec"))) = false;

void* find(const char* name, const char* version) {
  finding = true;
  void* found = version[0] == '\0' ? dlsym(RTLD_NEXT, name) : dlvsym(RTLD_NEXT, name, version);
  // Not a tail call: dlsym looks at its return address to know whose "next" is meant.
  __asm__ volatile("" : "+r"(found) : : "memory");
  finding = false;
  return found;
}

template <typename Result, typename... Params>
void resolve(std::atomic<Result (*)(Params...)>& pointer, const char* name, const char* version) {
  void* const found = find(name, version);
  if (found == nullptr) {
    // Whoever calls a function that libc lacks would not have started without us either.
    constexpr char kText[] = "impasse: libc has no function ";
    static_cast<void>(!::write(STDERR_FILENO, kText, sizeof kText - 1));
    static_cast<void>(!::write(STDERR_FILENO, name, std::strlen(name)));
    static_cast<void>(!::write(STDERR_FILENO, "\n", 1));
    std::abort();
  }
  pointer.store(reinterpret_cast<Result (*)(Params...)>(found), std::memory_order_relaxed);
}

}  // namespace

#define IMPASSE_FUNCTION(result, name, params, args, version) \
  static result stub_##name params {                          \
    using Result = result;                                    \
    if (std::is_void_v<Result> && finding) return Result();   \
    resolve(name, #name, version);                            \
    return name.load(std::memory_order_relaxed) args;         \
  }                                                           \
  constinit std::atomic<result(*) params> name{&stub_##name};
#include "interpose/functions.def"
#undef IMPASSE_FUNCTION

void resolve_all() {
#define IMPASSE_FUNCTION(result, name, params, args, version) \
  if (name.load(std::memory_order_relaxed) == &stub_##name) resolve(name, #name, version);
#include "interpose/functions.def"
#undef IMPASSE_FUNCTION
}

}  // namespace impasse::real
