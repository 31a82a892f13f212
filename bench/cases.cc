// bench_cases CASE [REPETITIONS [DIVISOR]]: times one case and prints its name and the nanoseconds
// per operation of each repetition (5 unless told otherwise), separated by spaces. DIVISOR makes a
// repetition that much shorter. bench_cases --list: one line for each case: its name, its limit and
// its title, separated by tabs.
//
// Plain pthread calls only, so that the same program runs bare, under a preload, under Valgrind, or
// is built a second time with -fsanitize=thread.
#include "cases.h"

#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace bench {
namespace {

struct Case {
  std::string_view name;
  double limit;
  const char* title;
  void (*run)(Session&);
};

constexpr Case kCases[] = {
#define BENCH_CASE(name, limit, title) {#name, limit, title, name},
#include "cases.def"
#undef BENCH_CASE
};

void list() {
  for (const Case& c : kCases) std::printf("%s\t%g\t%s\n", c.name.data(), c.limit, c.title);
}

}  // namespace
}  // namespace bench

int main(int argc, char** argv) {
  if (argc == 2 && std::string_view(argv[1]) == "--list") {
    bench::list();
    return 0;
  }
  const int repetitions = argc > 2 ? std::atoi(argv[2]) : 5;
  const int divisor = argc > 3 ? std::atoi(argv[3]) : 1;
  if (argc >= 2 && argc <= 4 && repetitions > 0 && divisor > 0) {
    for (const bench::Case& c : bench::kCases) {
      if (c.name != argv[1]) continue;
      bench::Session session(c.name, repetitions, static_cast<std::uint64_t>(divisor));
      c.run(session);
      return 0;
    }
  }
  std::fprintf(stderr, "usage: bench_cases CASE [REPETITIONS [DIVISOR]] | bench_cases --list\n");
  return 2;
}
