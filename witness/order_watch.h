// The watchdog's part in the lock order: hears what the program's threads told of it, walks the
// stacks that they copied, and keeps the graph.
//
// Promises: takes a twentieth of one processor's time at most, after a second's worth to begin
// with; what that leaves unheard stays where it is, and the threads that find no room tell it
// later. For our own thread.
#pragma once

#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "detector/ledger.h"
#include "detector/orders.h"
#include "symbolize/call_tree.h"
#include "witness/stacks.h"
#include "witness/witness.h"

namespace impasse::witness {

class OrderWatch {
 public:
  OrderWatch(Ledger& ledger, Walkers& walkers, const OrderOptions& options);

  // At every turn of the watchdog; the circles that are new. `last`: there will be no other turn.
  std::vector<OrderCircle> turn(std::uint64_t now_ns, bool last);
  // More is to be heard than one turn allows.
  bool behind() const { return behind_; }

  const Orders& orders() const { return orders_; }
  // Of the thread when it took the lock that was wanted.
  symbolize::Stack stack_of(const OrderSight& sight) const { return stacks_.stack(sight.stack); }
  // The thread is still there.
  bool lives(const OrderSight& sight) const;
  // Empty: not known.
  std::string name_of(const OrderSight& sight) const;
  // Sights whose stacks found no room.
  std::uint64_t without_stack() const { return without_stack_; }

 private:
  void hear_lives();
  void hear_sights(std::uint64_t deadline_ns);
  void hear(const RawSight& raw, Stacks& walker);
  void learn_name(ThreadNumber thread, std::uint32_t tid);
  void let_others_tell(ThreadNumber ended);
  void forget_ended_locks();
  bool ready(std::uint64_t now_ns);

  Ledger& ledger_;
  Walkers& walkers_;
  Orders orders_;
  symbolize::CallTree stacks_;
  std::unordered_map<ThreadNumber, std::string> names_;
  std::unordered_map<ThreadNumber, std::vector<std::uint64_t>> told_;  // paths, by who told them
  std::size_t told_paths_ = 0;
  std::uint64_t settled_ = 0;  // moment of the last turn
  std::uint64_t lost_lives_ = 0;
  std::uint64_t without_stack_ = 0;
  std::uint64_t next_record_ = 0;  // where hear_sights() goes on
  std::uint64_t first_ns_ = 0;
  std::uint64_t last_ns_ = 0;
  std::uint64_t credit_ns_ = 0;  // of processor time
  std::uint64_t renewals_ = 0;   // paths that others may still tell anew
  bool behind_ = false;
};

}  // namespace impasse::witness
