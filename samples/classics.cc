// classics NAME [--repaired]: one of the deadlocks of the textbooks, or of what looks like one.
//
// One that gets stuck prints "stuck: TID …" and stays so; --repaired does the same work well and
// ends with 0. The healthy ones end with 0 in any case. --list names them all.
#include "classics/classics.h"

#include <cstdio>
#include <string_view>

namespace {

struct Entry {
  std::string_view name;
  classics::Classic run;
};

#define CLASSIC(name)     \
  Entry {                 \
#name, classics::name \
  }

constexpr Entry kClassics[] = {
    CLASSIC(three_way),       CLASSIC(philosophers),      CLASSIC(rwlock_mix),
    CLASSIC(join_under_lock), CLASSIC(exited_holder),     CLASSIC(fork_held),
    CLASSIC(signal_relock),   CLASSIC(spin_self),         CLASSIC(spin_abba),
    CLASSIC(once_self),       CLASSIC(once_abba),         CLASSIC(loader),
    CLASSIC(crowd),           CLASSIC(recursive),         CLASSIC(trylock_backoff),
    CLASSIC(timed),           CLASSIC(hand_over_hand),    CLASSIC(remade_lock),
    CLASSIC(robust_owner),    CLASSIC(idle_pool),         CLASSIC(futures),
    CLASSIC(long_join),       CLASSIC(signalled_holding), CLASSIC(signalled_in_time),
    CLASSIC(signalled_join),  CLASSIC(handler_on_wait),   CLASSIC(unseen_relock),
    CLASSIC(ticking),         CLASSIC(ticking_made),      CLASSIC(ticking_thread),
    CLASSIC(ticking_unheard), CLASSIC(ticking_unhandled),
};

#undef CLASSIC

}  // namespace

int main(int argc, char** argv) {
  samples::Arguments arguments(argc, argv, "NAME [--repaired] | --list");
  const bool repaired = arguments.flag("--repaired");
  if (arguments.flag("--list")) {
    for (const Entry& entry : kClassics) std::puts(entry.name.data());
    return 0;
  }
  const std::string_view wanted = arguments.plain();
  arguments.no_more();
  for (const Entry& entry : kClassics) {
    if (entry.name == wanted) return entry.run(arguments, repaired);
  }
  arguments.complain();
}
