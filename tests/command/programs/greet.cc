// Says under what it runs, for `impasse run`: linked in several ways.
#include <cstdio>
#include <cstdlib>

int main(int argc, char** argv) {
  const char* preload = std::getenv("LD_PRELOAD");
  const char* options = std::getenv("IMPASSE_OPTIONS");
  std::printf("preload=%s\noptions=%s\n", preload ? preload : "(unset)",
              options ? options : "(unset)");
  for (int i = 1; i < argc; ++i) std::printf("argument=%s\n", argv[i]);
  return 5;
}
