// Its constructor never ends: whoever opens it keeps the loader's lock.
#include <unistd.h>
__attribute__((constructor)) static void load() {
  for (;;) pause();
}
