// How often, and how long, calls that may block were made while a lock was held: by lock, call and
// place of the program.
//
// Promises: lock-free, any thread, also in a signal handler; no allocation; memory is taken into
// use as it is needed, up to the region's capacity. Then the place that was idle the longest is
// given to whoever needs one, and what it said goes into an entry for "several locks" (lock 0) of
// the same place of the program. No call is counted twice; one that finds no room at all is counted
// as dropped. Costs: about a tenth of a microsecond for each lock held.
//
// A lock's address is used again. An entry belongs to one life of a lock, as far as locks have
// lives that are known (lock_table.h); what earlier ones did goes into the entry for several locks.
//
// INV-CALL-1  A record's `site` is 0 (free), 1 (somebody writes its key) or the key's; `lock` and
// `life` are written while it is 1. A call that ends just when its entry is given to another one is
// counted in that one.
// INV-CALL-2  No record becomes free again: a key stands in no level behind a free place of its
// bucket. It may stand twice (whoever met a place that was being written went on); readers add up.
#pragma once

#include <cstdint>

#include "detector/blocking_call.h"
#include "detector/ledger.h"

namespace impasse {

struct EndedCall {
  std::uint64_t site;  // call_word()
  std::uint64_t took_ns;
  std::uint64_t now_ns;  // CLOCK_MONOTONIC at its end
};

class CallTally {
 public:
  // `may_grow` is asked before memory is taken into use.
  explicit CallTally(Ledger& ledger, bool (*may_grow)() = nullptr)
      : ledger_(ledger), may_grow_(may_grow) {}

  // It was made while `lock` was held, which had been taken at `held_site`.
  void note(const EndedCall& call, std::uint64_t lock, std::uint64_t held_site);

  static constexpr unsigned kBucket = 8;  // records; the last one of each is for several locks
  static constexpr std::uint64_t kFirstLevel = kPage / sizeof(CallRecord);

 private:
  struct Figures {
    std::uint64_t count, sum_ns, most_ns, last_ns, held_site;
  };

  CallRecord* place_of(std::uint64_t lock, std::uint64_t site);
  CallRecord* find_or_claim(std::uint64_t lock, std::uint64_t site, std::uint64_t open,
                            CallRecord*& idlest);
  bool grow(std::uint64_t open);
  CallRecord* take_over(CallRecord& idlest, std::uint64_t lock, std::uint64_t site);
  void begin_new_life(CallRecord& record, std::uint64_t lock, std::uint64_t site);
  std::uint64_t life_of(std::uint64_t lock) const;
  void keep_for_several(std::uint64_t site, const Figures& figures);

  static Figures taken_out_of(CallRecord& record);
  static void add(CallRecord& record, const Figures& figures);

  Ledger& ledger_;
  bool (*may_grow_)();
};

}  // namespace impasse
