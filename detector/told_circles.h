// Which circles of orders are news: one inversion shows in many ways (by many threads, over many
// objects, together with other inversions), and is to be told once.
//
// Promises: a circle is news when one of its orders was in none that was told, judged by the calls
// and their callers; not when it is between the same locks at the same calls. One without a doubt
// is not alike to one with a doubt; of those with a time limit in them each call that sets one is
// told once. Bounded; used by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>

#include "detector/order_circles.h"

namespace impasse {

class ToldCircles {
 public:
  static constexpr std::size_t kMost = 4'096;

  enum class News : std::uint8_t { kYes, kAlike, kNoRoom };
  // A yes is remembered.
  News judge(const OrderCircle& circle);

 private:
  // By hash; whether all that was told had a doubt.
  using Known = std::unordered_map<std::uint64_t, bool>;

  static bool covers(const Known& known, std::uint64_t hash, bool doubted);
  bool has_new_order(const OrderCircle& circle) const;

  Known orders_;   // by their places
  Known circles_;  // by locks and calls
};

}  // namespace impasse
