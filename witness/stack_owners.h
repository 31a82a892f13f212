// Locks on the stacks of threads: a frame that is gone leaves no trace, and the next one's lock
// stands at the same place. Whether somebody who uses such a lock can mean no other than before.
//
// Promises: yes is said only of
// - a lock that lies on no thread's stack;
// - one on the user's own: the locks of dead frames are ended whenever a thread tells an order;
// - one on the stack of a thread that made the user, directly or not, while the lock's frame was
//   there: who makes threads that use its frame waits for them before it leaves it.
// A pool's thread that is lent a lock out of a frame may be lent the next frame's in its place: no.
// Bounded; for our own thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "detector/ledger.h"
#include "detector/order_sight.h"

namespace impasse::witness {

class StackOwners {
 public:
  explicit StackOwners(const Ledger& ledger) : ledger_(ledger) {}

  // Births and ends of threads.
  void hear(const LifeEvent& event);
  // Where stacks are now: before the sights of a turn.
  void look();

  bool sure(ThreadNumber user, std::uint64_t address) const;
  // ... of every lock in it.
  bool sure(const OrderSight& sight) const;

 private:
  struct StackRange {
    std::uint64_t low;
    std::uint64_t high;
    ThreadNumber owner;
  };
  struct Making {
    ThreadNumber maker;
    std::uint64_t stack_pointer;  // of the maker then
    bool ended;
  };

  ThreadNumber owner_of(std::uint64_t address) const;

  const Ledger& ledger_;
  std::vector<StackRange> stacks_;  // by address
  std::unordered_map<ThreadNumber, Making> makings_;
};

}  // namespace impasse::witness
