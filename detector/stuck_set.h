// Which threads can never go on, as far as one snapshot tells: those who wait without a time limit
// while everyone who could end that wait is among them. Beside locks and joins this knows waits for
// what others signal or post: who signalled before may do so again, anybody else is not expected
// to.
//
// Promises: a pure function of a snapshot, its graph of waits and what the objects say about
// themselves; the largest such set. Whoever has waited for less than kLastingNs is not in it.
// Objects are asked only where everything else says that somebody is stuck. Cost: linear in
// threads, waits, holds and signals.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "detector/wait_graph.h"

namespace impasse {

// A wait that is younger may be over already, as soon as its thread gets a processor.
inline constexpr std::uint64_t kLastingNs = 300'000'000;

// From one place to one object: no handshake.
inline constexpr std::uint32_t kManySignals = 32;

// Whether this thread waits for nothing but others, and has done so for a while.
bool waits_lastingly(const Snapshot& snapshot, const WaitGraph& graph, std::uint32_t thread);

// A condition or semaphore for which threads wait lastingly.
struct Signalled {
  struct Signaller {
    std::uint32_t thread = kNoOne;
    std::uint32_t tick = 0;  // of the last time
  };
  std::uint64_t object = 0;
  LockKind kind = LockKind::kCondition;
  std::vector<std::uint32_t> waiters;
  std::vector<Signaller> signallers;  // those that live; one for each place of the program
  std::uint32_t maker = kNoOne;       // who made those signallers that have ended
  bool hopeful = false;               // somebody may yet wake those who wait
  std::uint64_t woken_sites = 0;      // as in LockFact
  std::uint32_t most_signals = 0;     // by one signaller, from one place
};

// A mutex that threads have given back to wait for a condition.
struct Partner {
  std::uint64_t mutex = 0;
  std::vector<std::uint32_t> waiters;
  std::vector<std::uint32_t> users;  // have it, or want it
  bool busy = false;                 // one of them goes on
};

class StuckSet {
 public:
  StuckSet(const Snapshot& snapshot, const WaitGraph& graph, LockProbe probe);

  bool contains(std::uint32_t thread) const { return stuck_[thread]; }
  // What this thread waits to be signalled; null: it does not.
  const Signalled* awaited(std::uint32_t thread) const;
  const std::vector<Signalled>& signalled() const { return signalled_; }
  const std::vector<Partner>& partners() const { return partners_; }

 private:
  using Numbers = std::vector<std::uint32_t>;  // ThreadNumbers, by signalled_

  void find_waits(std::uint32_t thread);
  void find_facts(Numbers& makers);
  void find_signallers(std::uint32_t thread);
  void find_makers(const Numbers& makers);
  void find_kin();
  void leave_out_the_untried();
  void leave_out_the_hopeful();
  void find_users(std::uint32_t thread);
  void uses(std::uint32_t thread, std::uint64_t mutex);
  void count_blockers();
  void begin_with_those_who_go_on();
  void ask_objects(LockProbe probe);
  void ask_partners(LockProbe probe);

  void goes_on(std::uint32_t thread);
  void give_hope(Signalled& signalled);
  void give_hope_to_kin(const ThreadFact& thread);
  void give_hope_to_touched(const ThreadFact& thread);
  void keep_busy(Partner& partner);
  void settle();

  const Snapshot& snapshot_;
  const WaitGraph& graph_;
  std::vector<bool> stuck_;
  std::vector<std::uint32_t> going_on_;  // what that means for others is still to be looked at
  std::vector<Signalled> signalled_;
  std::vector<Partner> partners_;
  std::vector<std::uint32_t> awaited_;             // by thread: in signalled_, or kNoOne
  std::vector<std::vector<std::uint32_t>> wakes_;  // by thread: in signalled_
  std::vector<std::vector<std::uint32_t>> uses_;   // by thread: in partners_
  // By the function that threads began with, and by who made them: in signalled_. Whoever was begun
  // or made like one who signalled may come to do the same.
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> kin_by_entry_;
  std::unordered_map<std::uint32_t, std::vector<std::uint32_t>> kin_by_maker_;
  // By touched_place() of the mutex that was given back to wait, or of the semaphore: in
  // signalled_.
  std::unordered_map<std::uint64_t, std::vector<std::uint32_t>> by_touched_;
  TouchedPlaces awaited_places_{};  // those that have any
  // By obstacle: blockers that do not go on.
  std::vector<std::uint32_t> lasting_blockers_;
  std::unordered_map<std::uint64_t, std::uint32_t> by_object_[2];  // conditions, semaphores
  std::unordered_map<std::uint64_t, std::uint32_t> by_mutex_;
  bool anybody_may_signal_ = false;
};

}  // namespace impasse
