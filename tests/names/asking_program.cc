// A program that asks for the names of its own addresses, in the state that its argument says:
// nothing special; a constructor of a library is stuck in dlopen(); a callback of
// dl_iterate_phdr() is stuck; (built with OWN_MALLOC) its malloc's lock is held for ever.
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include "names/asking.h"

namespace garden {

struct Bed {
  pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  int flowers[20] = {};
};
Bed the_bed;

}  // namespace garden

pthread_mutex_t plain_lock = PTHREAD_MUTEX_INITIALIZER;

namespace {

volatile int turns = 1;

__attribute__((noinline)) std::uint64_t here() {
  return reinterpret_cast<std::uint64_t>(__builtin_return_address(0));
}

template <typename Seed>
__attribute__((always_inline)) inline std::uint64_t plant(const Seed& seed) {
  const std::uint64_t pc = here();  // LINE plant
  turns = turns + static_cast<int>(seed.size());
  return pc;
}

__attribute__((always_inline)) inline std::uint64_t dig(const std::string& seed) {
  const std::uint64_t pc = plant(seed);  // LINE dig
  turns = turns + 1;
  return pc;
}

}  // namespace

__attribute__((noinline)) std::uint64_t inlined_chain(const std::string& seed) {
  const std::uint64_t pc = dig(seed);  // LINE chain
  turns = turns + 1;
  return pc;
}

extern "C" __attribute__((noinline)) std::uint64_t plain_function() {
  const std::uint64_t pc = here();  // LINE plain
  turns = turns + 1;
  return pc;
}

// A symbol that says it is longer than it is: what follows is another function, without a symbol.
asm(R"(
  .text
  .globl liar
  .type liar, @function
liar:
  .cfi_startproc
  nop
  ret
  .cfi_endproc
  .cfi_startproc
after_liar:
  nop
  nop
  ret
  .cfi_endproc
  .size liar, .-liar
  .globl short_symbol
  .type short_symbol, @function
short_symbol:
  .cfi_startproc
  nop
  .size short_symbol, .-short_symbol
beyond_short:
  nop
  ret
  .cfi_endproc
  .globl behind_short_symbol
  .hidden behind_short_symbol
  .hidden behind_liar
  .set behind_liar, after_liar + 1
  .globl behind_liar
  .set behind_short_symbol, beyond_short
)");
extern "C" char behind_short_symbol;
extern "C" char behind_liar;
extern "C" char two_entries;

namespace {

pthread_mutex_t never = PTHREAD_MUTEX_INITIALIZER;

void* stuck_in_constructor(void*) {
  dlopen(getenv("STUCK_LIBRARY"), RTLD_NOW);
  return nullptr;
}

void* stuck_in_callback(void*) {
  dl_iterate_phdr(
      [](dl_phdr_info*, size_t, void*) {
        pthread_mutex_lock(&never);
        return 0;
      },
      nullptr);
  return nullptr;
}

}  // namespace

#ifdef OWN_MALLOC
namespace {
pthread_mutex_t malloc_lock = PTHREAD_MUTEX_INITIALIZER;
alignas(16) char pool[1 << 22];
std::size_t used;
}  // namespace

extern "C" void* malloc(std::size_t bytes) {
  pthread_mutex_lock(&malloc_lock);
  void* const block = pool + used;
  used += (bytes + 31) & ~std::size_t{15};
  pthread_mutex_unlock(&malloc_lock);
  return block;
}
extern "C" void free(void* block) {
  if (block == nullptr) return;
  pthread_mutex_lock(&malloc_lock);
  pthread_mutex_unlock(&malloc_lock);
}
extern "C" void* calloc(std::size_t count, std::size_t bytes) {
  return malloc(count * bytes);
}
extern "C" void* realloc(void* block, std::size_t bytes) {
  void* const fresh = malloc(bytes);
  if (block != nullptr) memcpy(fresh, block, bytes);
  return fresh;
}
#endif

int main(int, char** arguments) {
  auto* const ask_names = reinterpret_cast<AskNames*>(dlsym(RTLD_DEFAULT, "ask_names"));
  if (ask_names == nullptr) return 7;
  const std::string seed("poppy, of the long kind that needs memory");
  static const Question questions[] = {
      {inlined_chain(seed), false, true},
      {plain_function(), false, true},
      {reinterpret_cast<std::uint64_t>(&garden::the_bed.flowers[2]), true, false},
      {reinterpret_cast<std::uint64_t>(&plain_lock), true, false},
      {reinterpret_cast<std::uint64_t>(&behind_short_symbol), false, false},
      {reinterpret_cast<std::uint64_t>(&behind_liar), false, false},
      {reinterpret_cast<std::uint64_t>(&usleep) + 4, false, false},
      {reinterpret_cast<std::uint64_t>(&seed), true, false},
      {reinterpret_cast<std::uint64_t>(&seed), false, false},
      {0, false, true},
      {~std::uint64_t{0}, false, true},
      {reinterpret_cast<std::uint64_t>(&two_entries) + 6, false, true},
  };
  pthread_mutex_lock(&never);
  pthread_t thread;
  if (strcmp(arguments[1], "constructor") == 0) {
    pthread_create(&thread, nullptr, stuck_in_constructor, nullptr);
  }
  if (strcmp(arguments[1], "callback") == 0) {
    pthread_create(&thread, nullptr, stuck_in_callback, nullptr);
  }
  usleep(100'000);
#ifdef OWN_MALLOC
  pthread_mutex_lock(&malloc_lock);
#endif
  ask_names(questions, sizeof questions / sizeof questions[0]);
}
