// A preloaded object that changes what a program does, in the one way that SABOTAGE names: the
// runner must notice each of them. Without SABOTAGE it is honest.
#include <dlfcn.h>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace {

bool asked_for(std::string_view way) {
  const char* wanted = std::getenv("SABOTAGE");
  return wanted && way == wanted;
}

void create(const char* path) {
  const int file = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  if (file >= 0) close(file);
}

void say_on_stderr(std::string_view text) {
  if (write(STDERR_FILENO, text.data(), text.size()) < 0) _exit(1);
}

__attribute__((destructor)) void spoil_the_end() {
  if (asked_for("stderr")) say_on_stderr("something\n");
  if (asked_for("finding")) say_on_stderr("impasse: something\n");
  if (asked_for("finding") || asked_for("file")) create("impasse.1.1.txt");
  if (asked_for("status")) _exit(9);
  if (asked_for("signal")) std::abort();
  if (asked_for("hang")) pause();
  if (asked_for("process") && fork() == 0) pause();
  if (asked_for("ledger")) {
    char path[64];
    std::snprintf(path, sizeof path, "/dev/shm/impasse.%d", getpid());
    create(path);
  }
}

}  // namespace

extern "C" int pthread_spin_trylock(pthread_spinlock_t* lock) {
  using Real = int (*)(pthread_spinlock_t*);
  static const auto real = reinterpret_cast<Real>(dlsym(RTLD_NEXT, "pthread_spin_trylock"));
  const int result = real(lock);
  if (asked_for("errno")) errno = EIO;
  return asked_for("result") && result == EBUSY ? EDEADLK : result;
}
