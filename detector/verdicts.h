// What is wrong, as far as one snapshot tells: circles of waits, waits for what nobody will give
// back, waits that last too long.
//
// Promises: a pure function of a snapshot and its graph of waits; no verdict is final
// until it was reached twice (Findings). Costs: linear in waits and holds, plus one walk for each
// circle.
#pragma once

#include <cstdint>
#include <vector>

#include "detector/wait_graph.h"

namespace impasse {

// References are indices into Snapshot::threads, or into Snapshot::departures for a gone blocker.
struct VerdictLink {
  std::uint32_t waiter = kNoOne;
  std::uint32_t blocker = kNoOne;  // kNoOne: not known
  std::uint64_t lock = 0;          // 0 for a join
  LinkReason reason = LinkReason::kHolder;
};

// The same in two looks: the wait went on all the time in between.
struct Mark {
  std::uint32_t tid = 0;
  std::uint64_t value = 0;
  friend bool operator==(const Mark&, const Mark&) = default;
};

struct Verdict {
  FindingKind kind = FindingKind::kLongWait;
  bool certain = true;               // false: likely
  std::vector<VerdictLink> cycle;    // each link's blocker is the next one's waiter
  std::vector<VerdictLink> crowd;    // nearest to the root first
  std::uint32_t root = kNoOne;       // in threads
  std::uint32_t gone_root = kNoOne;  // in departures
  std::uint64_t root_lock = 0;
  std::uint64_t longest_ns = 0;  // the longest wait in it, on the watchdog's clock
  std::vector<Mark> marks;       // of the waits that it stands on
  // Of the threads among them that were looked at: in two looks with these the same they had the
  // same locks all the time, while they were asleep.
  std::vector<Mark> held;
  std::vector<Mark> along;  // of a long wait: some of the crowd's
  std::uint64_t sites = 0;  // hash of the call sites that make it: the same for a recurrence
};

struct Thresholds {
  std::uint64_t wait_ns = 10'000'000'000;  // of a long wait
  bool conditions = true;                  // groups are judged: see stuck_groups.h
};

// `graph` is of this snapshot.
std::vector<Verdict> judge(const Snapshot& snapshot, const WaitGraph& graph,
                           const Thresholds& thresholds);
// Threads that ended while they held a lock for which nobody waits (yet).
void judge_exits(const Snapshot& snapshot, LockProbe probe, std::vector<Verdict>& verdicts);

}  // namespace impasse
