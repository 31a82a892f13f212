// The watchdog's part in the lock order: hears what the program's threads told of it, walks the
// stacks that they copied, and keeps the graph.
//
// Promises: takes a twenty-fifth of one processor's time at most, after what a program's beginning
// is allowed; what that leaves unheard stays where it is, and the threads that find no room tell it
// later. Memory that ended locks and threads leave goes back, and so does what many sights at once
// needed, when it is quiet. For our own thread.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "detector/ledger.h"
#include "detector/orders.h"
#include "detector/sight_queue.h"
#include "symbolize/call_tree.h"
#include "witness/known_paths.h"
#include "witness/stack_owners.h"
#include "witness/stacks.h"
#include "witness/witness.h"

namespace impasse::witness {

class OrderWatch {
 public:
  OrderWatch(Ledger& ledger, Walkers& walkers, const OrderOptions& options);

  // At every turn of the watchdog; the circles that are new.
  std::vector<OrderCircle> turn(std::uint64_t now_ns);
  // The process is about to end: all that is there to be heard.
  std::vector<OrderCircle> last_turn();

  const Orders& orders() const { return orders_; }
  // Something was heard lately: that took code into memory which a rest does not need.
  bool at_work() const { return heard_ || to_rest_ || to_trim_; }
  // Of the thread when it took the lock that was wanted.
  symbolize::Stack stack_of(const OrderSight& sight) const { return stacks_.stack(sight.stack); }
  // The thread is still there.
  bool lives(ThreadNumber thread, std::uint32_t tid) const;

 private:
  void hear_lives();
  void hear_sights(std::uint64_t deadline_ns);
  std::optional<OrderSight> understood(const RawSight& raw);
  void hear(const RawSight& raw, Stacks& walker);
  void walk(const RawSight& raw, OrderSight& sight, Stacks& walker);
  void add_stacks(std::vector<OrderCircle>& circles, const std::vector<const RawSight*>& heard);
  void forget_ended_locks();
  void shed_stacks();
  void give_memory_back(std::uint64_t now_ns);
  void rest(std::uint64_t now_ns);
  bool ready(std::uint64_t now_ns);

  Ledger& ledger_;
  Walkers& walkers_;
  SightQueue sights_;
  Orders orders_;
  symbolize::CallTree stacks_;
  KnownPaths paths_;
  StackOwners owners_;
  std::uint64_t settled_ = 0;  // moment of the last turn
  std::uint64_t lost_lives_ = 0;
  std::uint64_t next_record_ = 0;  // where hear_sights() goes on
  std::uint64_t first_ns_ = 0;
  std::uint64_t last_ns_ = 0;
  std::int64_t own_time_ns_;           // processor time of our own thread when the last turn ended
  std::int64_t credit_ns_;             // of processor time; below 0: more was taken than was due
  std::uint64_t ends_seen_ = 0;        // a number that changes when a lock's life ends
  std::size_t to_sweep_ = 0;           // places of the graph not looked at since it last changed
  std::size_t stacks_worth_shedding_;  // nodes of the tree
  std::uint64_t compactions_ = 0;      // of the graph, when memory was last given back
  std::uint64_t trimmed_ns_ = 0;
  bool to_trim_ = false;
  std::uint64_t heard_ns_ = 0;
  bool heard_ = false;        // something, in this turn
  bool ever_heard_ = false;   // ... in any
  bool heard_since_ = false;  // ... since the last rest
  bool to_rest_ = true;
};

}  // namespace impasse::witness
