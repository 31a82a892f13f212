// The lock-order graph as it lies in memory: locks, and the orders between them.
// Promises: plain data, one place for the words that the parts of the order graph share.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>

#include "detector/order_sight.h"
#include "detector/short_list.h"

namespace impasse {

inline constexpr std::uint32_t kNowhere = std::numeric_limits<std::uint32_t>::max();

// Sights kept of one order.
inline constexpr std::size_t kSightsPerOrder = 8;

// A kept sight as the evidence of one order: which of its held locks the order comes from.
struct OrderEvidence {
  std::uint32_t sight = kNowhere;  // in the store
  std::uint32_t held = 0;          // index; a thread tells of fewer than 256
};

// ... of an order's. Most have one, which needs no memory beyond itself.
class KeptEvidence {
 public:
  OrderEvidence operator[](std::size_t i) const {
    return i == 0 ? OrderEvidence{sight_, held_} : (*others_)[i - 1];
  }
  void set(std::size_t i, OrderEvidence evidence) {
    if (i == 0) {
      sight_ = evidence.sight;
      held_ = static_cast<std::uint8_t>(evidence.held);
      return;
    }
    if (others_ == nullptr) others_ = std::make_unique<Others>();
    (*others_)[i - 1] = evidence;
  }

 private:
  using Others = std::array<OrderEvidence, kSightsPerOrder - 1>;

  std::uint32_t sight_ = kNowhere;
  std::uint8_t held_ = 0;
  std::unique_ptr<Others> others_;
};

struct OrderEdge {
  std::uint32_t from = kNowhere;  // nodes; kNowhere: a free place
  std::uint32_t to = kNowhere;
  std::uint32_t out_at = 0;  // its places in the lists of its two nodes
  std::uint32_t in_at = 0;
  KeptEvidence kept;
  std::uint32_t threads = 0;       // different ones, at least
  ThreadNumber newest_thread = 0;  // the highest number
  std::uint32_t seen = 0;          // sights, told apart or not
  std::uint8_t kept_count = 0;
  bool all_kept = true;  // no sight of another thread was ever left out
  std::uint64_t first_ns = 0;
  std::uint64_t last_ns = 0;
};
static_assert(sizeof(OrderEdge) == 64);  // there may be hundreds of thousands

struct OrderNode {
  LockLife life;
  ShortList out;  // edges
  ShortList in;
  bool used = false;
};

// Deques: nothing is copied, or there twice, when they grow.
struct OrderNet {
  std::deque<OrderNode> nodes;
  std::deque<OrderEdge> edges;
};

struct LockLifeHash {
  std::size_t operator()(const LockLife& life) const {
    std::uint64_t h = life.address * 0x9e37'79b9'7f4a'7c15;
    h ^= (std::uint64_t{life.generation} << 32 | life.record) + (h >> 29);
    h *= 0xbf58'476d'1ce4'e5b9;
    return h ^ (h >> 32);
  }
};

}  // namespace impasse
