// The threads of a stuck condition, or of all asleep, in order: what they wait for, each object
// once, with those who could end the waits; and the threads themselves, those that are alike
// together.
//
// Promises: whatever indices a report has, an answer comes back. Costs: linear in threads, holds
// and signallers, but for sorting.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "report/phrases.h"

namespace impasse::report {

using ThreadList = std::vector<std::uint32_t>;

// What some of them wait for.
struct Awaited {
  WaitKind kind = WaitKind::kNone;
  std::uint64_t object = 0;
  std::uint32_t lock = kNobody;    // in locks
  std::uint32_t thread = kNobody;  // in threads: of a join
  ThreadList waiters;              // longest wait first
  ThreadList givers;  // who holds it, used to signal it, or is to end; each once, by their numbers
  bool signalled() const { return kind == WaitKind::kCondition || kind == WaitKind::kSemaphore; }
};

// One thread gave what others of the group wait for, from one place.
struct Gift {
  std::uint32_t lock = kNobody;
  std::string place;
  std::uint64_t count = 0;  // of all threads that are alike
  const Signaller* newest = nullptr;
};

// Threads that are alike: they wait in the same way, hold what others want, and gave, at the same
// places.
struct Kin {
  ThreadList threads;                // longest wait first
  std::vector<std::uint32_t> keeps;  // in locks: held, while others of the group wait for it
  std::vector<Gift> gifts;
};

class StuckGroup {
 public:
  explicit StuckGroup(const Phrases& say);

  const ThreadList& members() const { return members_; }
  bool has(std::uint32_t thread) const;
  // The finding's root lock first, then by the number of waiters.
  const std::vector<Awaited>& objects() const { return objects_; }
  const Awaited* object_of(std::uint32_t thread) const;  // that it waits for
  const std::vector<Kin>& kin() const { return kin_; }
  // Threads of the process that are neither in it nor ever gave anything to it.
  std::uint64_t others() const { return others_; }
  // Those that did, and are stuck in what is told apart.
  std::uint64_t stuck_elsewhere() const { return stuck_elsewhere_; }

 private:
  void gather_members();
  void gather_objects();
  void find_givers();
  void count_givers_elsewhere();
  void gather_kin();
  std::unordered_map<std::uint32_t, Kin> each_one() const;

  const Phrases& say_;
  ThreadList members_;
  std::vector<bool> is_member_;           // by thread
  std::vector<std::uint32_t> object_of_;  // by thread: in objects_
  std::vector<Awaited> objects_;
  std::vector<Kin> kin_;
  std::uint64_t others_ = 0;
  std::uint64_t stuck_elsewhere_ = 0;
};

}  // namespace impasse::report
