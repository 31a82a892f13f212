// Keeps the set of known orders honest: what is known there nobody tells again, so it must let go
// of what has to be told again.
//
// - Of an order that ended threads alone have told nobody can say whether it could meet another:
//   others may tell it in their place, so many a second.
// - A thread that goes on making others tells anew, once a second at most; for its first phases it
//   sees to that itself (detector/order_phase.h).
// - Paths of locks that are no more fill the set: it is begun anew.
//
// Promises: bounded; for our own thread. Costs: 8 bytes for each path that was told.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "detector/ledger.h"
#include "detector/order_sight.h"

namespace impasse::witness {

class KnownPaths {
 public:
  explicit KnownPaths(Ledger& ledger) : ledger_(ledger) {}

  // `lives`: that the thread has ended will be heard.
  void told(std::uint64_t path, ThreadNumber thread, bool lives);
  void heard(const LifeEvent& event);
  // At every turn. True: memory has become free.
  bool turn(std::uint64_t now_ns);

 private:
  struct Told {
    std::uint64_t path;
    ThreadNumber thread;
  };

  void let_others_tell(std::uint64_t now_ns);
  void begin_phases(std::uint64_t now_ns);
  void begin_anew();

  Ledger& ledger_;
  std::unordered_map<ThreadNumber, std::vector<std::uint64_t>> by_thread_;
  std::deque<Told> of_ended_;  // to be told by others
  std::size_t paths_ = 0;      // in both
  std::uint64_t renewals_ = 0;
  std::uint64_t renewed_ns_ = 0;
  std::unordered_set<ThreadNumber> in_new_phase_;
  std::uint64_t phases_ns_ = 0;
};

}  // namespace impasse::witness
