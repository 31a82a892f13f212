// How the parts of a circle of orders are called, in every section alike: who was seen in it, with
// which lock, where.
//
// Promises: whatever indices the orders have, an answer comes back; everything from outside is
// printable. Keeps a reference to the phrases, which must outlive it. Making one is linear in the
// orders.
#pragma once

#include <cstddef>
#include <string>
#include <unordered_set>
#include <vector>

#include "report/phrases.h"

namespace impasse::report {

class OrderPhrases {
 public:
  explicit OrderPhrases(const Phrases& say);

  const Phrases& phrases() const { return say_; }
  const std::vector<Order>& orders() const { return say_.report().finding.orders; }
  OrderDoubt doubt() const { return say_.report().finding.doubt; }
  const Order& next(std::size_t order) const { return orders()[(order + 1) % orders().size()]; }

  std::string who(const Order& order) const;     // `101 "raft-monitor"`
  std::string thread(const Order& order) const;  // `thread 101 "raft-monitor"`
  // "raft_node"; of several in the circle with one name, in full.
  std::string lock(std::uint32_t lock) const;
  std::string from(const Order& order) const;  // "raft_node", "raft_map for reading"
  std::string to(const Order& order) const;
  // "took heartbeats and then raft_node": what was seen, to stand behind who it was.
  std::string deed(const Order& order) const;
  std::string deed_in_short(const Order& order) const;

  std::string from_place(const Order& order) const;
  std::string to_place(const Order& order) const;
  const symbolize::Stack& stack(const Order& order) const;

  // The next one took the same two locks, both as their only owner.
  bool other_way_round(std::size_t order) const;
  // It and nobody else: a reader that reads its lock again.
  bool is_reader_again() const;
  // Where `to` of this order meets `from` of the next, both read: only a writer that comes between
  // keeps the one from passing the other.
  bool meets_as_reader(std::size_t order) const;
  // Nobody who has a lock of the circle waits for one of it, among all threads.
  bool nobody_is_stuck() const;

 private:
  std::string first_place(const Order& order) const;
  std::string second_place(const Order& order) const;

  const Phrases& say_;
  std::unordered_set<std::uint32_t> locks_;
  std::unordered_set<std::string> shared_names_;
};

// " for reading", or nothing.
const char* reading(bool shared);

}  // namespace impasse::report
