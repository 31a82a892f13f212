// As greet, and it knows the names of the sanitizers without being built with one.
#include <cstdio>
#include <cstdlib>

extern "C" void __asan_init() __attribute__((weak));
extern "C" void __tsan_init() __attribute__((weak));

int main() {
  const char* preload = std::getenv("LD_PRELOAD");
  std::printf("preload=%s\n", preload ? preload : "(unset)");
  return &__asan_init == nullptr && &__tsan_init == nullptr ? 5 : 1;
}
