// The threads of our own that watch beside the program. What they do is not interpose's business:
// they are handed in before the program's first lock.
#pragma once

#include "detector/ledger.h"

namespace impasse {

struct Companions {
  // False: no thread could be had. The caller has every signal blocked that can be.
  bool (*start)(Ledger& ledger) = nullptr;
  // The last thread of the program is about to end.
  void (*dismiss)() = nullptr;
  // Much waits to be heard: the watchdog's next turn is to come now. May be called often, by any
  // thread.
  void (*wake)() = nullptr;
  // In a forked child there are none.
  void (*forget)() = nullptr;
};

extern constinit Companions companions __attribute__((visibility("hidden")));

}  // namespace impasse
