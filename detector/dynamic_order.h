// Keeps the order graph sorted while edges come: every edge leads from a lower rank to a higher
// one, but inside a component, in which everything may reach everything.
//
// Promises: two nodes on a common circle are always in one component. The reverse holds until
// nodes are removed: what is left of a component stays together until all is sorted anew.
//
// Costs: an edge along the present order nothing; one against it a search between its two ranks
// (Pearce and Kelly's way, over components). Used by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "detector/order_net.h"

namespace impasse {

class DynamicOrder {
 public:
  explicit DynamicOrder(const OrderNet& net) : net_(&net) {}

  // A new node, without edges yet; one that will be led to goes last, one that leads goes first.
  void add_last(std::uint32_t node) { add(node, ++highest_); }
  void add_first(std::uint32_t node) { add(node, --lowest_); }
  // The edge is in the net already.
  void edge_added(std::uint32_t from, std::uint32_t to);
  // Its edges are out of the net already.
  void remove(std::uint32_t node);

  bool together(std::uint32_t a, std::uint32_t b) const {
    return places_[a].component == places_[b].component;
  }
  std::uint32_t component_size(std::uint32_t node) const {
    return components_[places_[node].component].size;
  }
  std::int64_t rank(std::uint32_t node) const { return components_[places_[node].component].rank; }

 private:
  // The nodes of a component are a ring.
  struct Place {
    std::uint32_t component = kNowhere;
    std::uint32_t next = kNowhere;
    std::uint32_t previous = kNowhere;
  };
  struct Component {
    std::int64_t rank = 0;
    std::uint32_t size = 0;
    std::uint32_t any = kNowhere;  // one of its nodes
    bool forward = false;          // marks of the present search
    bool backward = false;
  };

  void add(std::uint32_t node, std::int64_t rank);
  void collect(std::uint32_t start, bool forward, std::int64_t limit,
               std::vector<std::uint32_t>& found);
  std::uint32_t merge(std::uint32_t a, std::uint32_t b);

  const OrderNet* net_;
  std::vector<Place> places_;  // by node
  std::vector<Component> components_;
  std::vector<std::uint32_t> free_components_;
  std::int64_t lowest_ = 0;
  std::int64_t highest_ = 0;
  std::vector<std::uint32_t> after_;
  std::vector<std::uint32_t> before_;
  std::vector<std::uint32_t> both_;
  std::vector<std::int64_t> ranks_;
};

}  // namespace impasse
