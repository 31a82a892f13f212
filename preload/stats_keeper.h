// The watchdog's part in the numbers of locks (stats=on): the clock by which a reader turns cycles
// into time, the files that are mapped, by which one finds names when the process is gone, and the
// table at the end.
//
// Promises: with stats=off nothing. For the watchdog's thread; not torn down before the process.
#pragma once

#include <cstdint>

#include "detector/ledger.h"
#include "witness/side_thread.h"

namespace impasse {

class StatsKeeper {
 public:
  StatsKeeper(Ledger& ledger, witness::SideThread& side, bool on)
      : ledger_(ledger), side_(side), on_(on) {}

  void turn(std::uint64_t now_ns) {
    if (on_) keep(now_ns);
  }
  // The table, on standard error, once; nothing where no lock was taken. With names if they are
  // found in a second.
  void say_last_words();

 private:
  void keep(std::uint64_t now_ns);
  void keep_maps();

  Ledger& ledger_;
  witness::SideThread& side_;
  bool on_;
  std::uint64_t next_maps_ns_ = 0;
};

}  // namespace impasse
