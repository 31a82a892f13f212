// order_cases NAME [--linger]: locks taken in an order that may hang one day, or looks as if it
// did.
//
// Does the one or the other, prints "shown" and ends with 0; never hangs. With --linger it stays
// until its standard input ends, with the locks still there. --list prints for each: name, what is
// expected of a detector (alarm, silent, low), what it is. Ends with 3 if it cannot show what it
// promises (memory that is not used again where that was to be seen).
#include <cstdio>
#include <string_view>

#include "order_cases/order_cases.h"

namespace {

struct Entry {
  std::string_view name;
  const char* expected;
  const char* what;
  void (*run)(order_cases::Stage& stage);
};

constexpr Entry kCases[] = {
#define ORDER_CASE(name, expected, what) {#name, #expected, what, order_cases::name},
#include "order_cases/cases.def"
#undef ORDER_CASE
};

}  // namespace

int main(int argc, char** argv) {
  samples::Arguments arguments(argc, argv, "NAME [--linger] | --list");
  order_cases::Stage stage(arguments.flag("--linger"));
  if (arguments.flag("--list")) {
    for (const Entry& entry : kCases) {
      std::printf("%s\t%s\t%s\n", entry.name.data(), entry.expected, entry.what);
    }
    return 0;
  }
  const std::string_view wanted = arguments.plain();
  arguments.no_more();
  for (const Entry& entry : kCases) {
    if (entry.name != wanted) continue;
    entry.run(stage);
    stage.shown();
    return 0;
  }
  arguments.complain();
}
