// Who waits for whom in one snapshot: threads, the locks that they wait for, and who is in the way.
//
// Promises: a pure function of the snapshot and of what the locks say. A thread that waits for a
// lock waits for every one of its blockers (all readers have to leave before a writer enters), so a
// circle through any of them is a circle.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <unordered_map>
#include <vector>

#include "detector/current_wait.h"
#include "detector/finding_kinds.h"
#include "detector/lock_probe.h"
#include "detector/snapshot.h"

namespace impasse {

inline constexpr std::uint32_t kNoOne = std::numeric_limits<std::uint32_t>::max();

struct Blocker {
  std::uint32_t thread = kNoOne;     // in threads
  std::uint32_t departure = kNoOne;  // in departures; both kNoOne: a holder that is not known
  LinkReason reason = LinkReason::kHolder;
  std::uint32_t since_tick = 0;  // of its hold; 0: not known
  std::uint64_t site = 0;        // where it took the lock; 0: not known
  // It took the lock in a signal handler that runs on top of its own wait, and gives it back before
  // it goes on waiting: it is not stuck with this one.
  bool above_wait = false;
};

// A lock as those see it who wait for it in one mode.
struct Obstacle {
  std::uint64_t lock = 0;  // 0 for a join
  bool reading = false;
  LockState state;
  std::vector<Blocker> blockers;
  std::vector<std::uint32_t> waiters;  // in threads; none: it was granted meanwhile
};

// Of several holders, the one that is named first: a writer, else whoever has it longest.
const Blocker* main_blocker(const Obstacle& obstacle);

class WaitGraph {
 public:
  // `sleep` null: nobody is asked of whom the ledger alone cannot tell.
  WaitGraph(const Snapshot& snapshot, LockProbe probe, SleepProbe sleep = nullptr);

  const std::vector<Obstacle>& obstacles() const { return obstacles_; }
  const std::optional<CurrentWait>& wait(std::uint32_t thread) const { return waits_[thread]; }
  // What the thread waits for; null: for nothing that is in the graph.
  const Obstacle* before(std::uint32_t thread) const;
  // The obstacles that this thread is a blocker of, and stuck with.
  const std::vector<std::uint32_t>& behind(std::uint32_t thread) const { return behind_[thread]; }
  // Whether the ledger alone could not tell a hold of this thread from one of a signal handler on
  // top of its wait: the thread was asleep in that wait when it was looked at.
  bool was_looked_at(std::uint32_t thread) const { return looked_at_[thread]; }
  // How long it has waited on the watchdog's clock, which counts only time in which it ran.
  std::uint64_t waited_ns(std::uint32_t thread) const;

 private:
  std::uint32_t obstacle_for(const CurrentWait& wait);
  void let_in_the_owner(Obstacle& obstacle);
  Sleep sleep_of(std::uint32_t thread);
  bool taken_above_wait(std::uint32_t thread, const HoldFact& hold);
  void find_blockers(Obstacle& obstacle, LockKind kind);
  const HoldFact* hold_of(std::uint32_t thread, std::uint64_t lock, LockKind kind) const;
  std::uint64_t known_readers(std::uint64_t lock) const;
  void block_by_owner(Obstacle& obstacle, LockKind kind);
  void block_by_holds(Obstacle& obstacle, bool shared_too);
  void block_by_departures(Obstacle& obstacle, bool owner_only);
  void block_by_waiting_writers(Obstacle& obstacle);

  struct Key {
    std::uint64_t object;
    unsigned mode;  // 0 exclusive, 1 reading, 2 join
    friend bool operator==(const Key&, const Key&) = default;
  };
  struct KeyHash {
    std::size_t operator()(const Key& key) const { return key.object * 3 + key.mode; }
  };

  const Snapshot& snapshot_;
  const SleepProbe sleep_;
  unsigned looks_left_;
  const HolderIndex holders_;
  std::unordered_map<std::uint32_t, std::uint32_t> by_tid_;
  std::unordered_map<std::uint64_t, std::uint32_t> by_handle_;
  std::vector<std::optional<CurrentWait>> waits_;
  std::vector<std::uint32_t> before_;  // by thread: its obstacle, or kNoOne
  std::vector<std::vector<std::uint32_t>> behind_;
  std::vector<bool> looked_at_;
  std::unordered_map<std::uint32_t, Sleep> sleeps_;
  std::unordered_map<Key, std::uint32_t, KeyHash> index_;
  std::vector<Obstacle> obstacles_;
  std::vector<LockKind> kinds_;  // by obstacle
};

}  // namespace impasse
