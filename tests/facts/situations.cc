// situations NAME: plays one situation. situations --list: names them all.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "expected.h"
#include "situation.h"

namespace facts {

void must(bool condition, const char* file, int line) {
  if (condition) return;
  char text[256];
  const int length = std::snprintf(text, sizeof text, "situations: not so: %s:%d\n", file, line);
  static_cast<void>(!write(STDERR_FILENO, text, static_cast<size_t>(length)));
  _exit(3);
}

void not_possible_here(const char* why) {
  Expected().text("not_possible", why).print();
  _exit(0);
}

namespace {

// Whatever goes wrong, no process of a test outlives it by long.
constexpr unsigned kLongestLifeSeconds = 120;

int run(const char* name) {
  const auto groups = {
      mutex_situations(),  mutex_type_situations(), mutex_life_situations(),
      rwlock_situations(), condition_situations(),  waking_situations(),
      thread_situations(), stranger_situations(),   departure_situations(),
      signal_situations(), alone_situations(),      process_situations(),
      fork_situations(),   c11_situations(),        ending_situations(),
      crowd_situations(),
  };
  const bool list = std::strcmp(name, "--list") == 0;
  for (const auto& group : groups) {
    for (const Situation& situation : group) {
      if (list) std::puts(situation.name);
      if (std::strcmp(name, situation.name) != 0) continue;
      alarm(kLongestLifeSeconds);
      situation.play();
      return 0;
    }
  }
  return list ? 0 : 2;
}

}  // namespace
}  // namespace facts

int main(int argc, char** argv) {
  const int status = argc == 2 ? facts::run(argv[1]) : 2;
  if (status == 2) std::fputs("usage: situations NAME | --list\n", stderr);
  return status;
}
