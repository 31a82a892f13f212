#include "detector/dynamic_order.h"

#include <algorithm>
#include <utility>

namespace impasse {

void DynamicOrder::add(std::uint32_t node, std::int64_t rank) {
  if (node >= places_.size()) places_.resize(node + std::size_t{1});
  std::uint32_t component = 0;
  if (free_components_.empty()) {
    component = static_cast<std::uint32_t>(components_.size());
    components_.emplace_back();
  } else {
    component = free_components_.back();
    free_components_.pop_back();
  }
  components_[component] = {rank, 1, node};
  places_[node] = {component, node, node};
}

void DynamicOrder::remove(std::uint32_t node) {
  const Place place = places_[node];
  Component& component = components_[place.component];
  if (--component.size == 0) {
    free_components_.push_back(place.component);
  } else {
    component.any = place.next;
    places_[place.next].previous = place.previous;
    places_[place.previous].next = place.next;
  }
  places_[node] = {};
}

// All components that can be reached from `start`, forward or backward, without passing the limit.
void DynamicOrder::collect(std::uint32_t start, bool forward, std::int64_t limit,
                           std::vector<std::uint32_t>& found) {
  const auto mark = forward ? &Component::forward : &Component::backward;
  found.assign(1, start);
  components_[start].*mark = true;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const std::uint32_t first = components_[found[i]].any;
    std::uint32_t node = first;
    do {
      const OrderNode& here = net_->nodes[node];
      for (const std::uint32_t edge : forward ? here.out : here.in) {
        const OrderEdge& way = net_->edges[edge];
        const std::uint32_t next = places_[forward ? way.to : way.from].component;
        Component& component = components_[next];
        const bool past = forward ? component.rank > limit : component.rank < limit;
        if (past || component.*mark) continue;
        component.*mark = true;
        found.push_back(next);
      }
      node = places_[node].next;
    } while (node != first);
  }
}

// The smaller one's nodes go over to the larger one.
std::uint32_t DynamicOrder::merge(std::uint32_t a, std::uint32_t b) {
  if (components_[a].size < components_[b].size) std::swap(a, b);
  const std::uint32_t first = components_[b].any;
  std::uint32_t node = first;
  do {
    places_[node].component = a;
    node = places_[node].next;
  } while (node != first);
  const std::uint32_t ours = components_[a].any;
  const std::uint32_t ours_next = places_[ours].next;
  const std::uint32_t theirs_next = places_[first].next;
  places_[ours].next = theirs_next;
  places_[theirs_next].previous = ours;
  places_[first].next = ours_next;
  places_[ours_next].previous = first;
  components_[a].size += components_[b].size;
  components_[b].size = 0;
  free_components_.push_back(b);
  return a;
}

void DynamicOrder::edge_added(std::uint32_t from, std::uint32_t to) {
  const std::uint32_t tail = places_[from].component;
  const std::uint32_t head = places_[to].component;
  const std::int64_t upper = components_[tail].rank;
  const std::int64_t lower = components_[head].rank;
  if (tail == head || upper < lower) return;

  collect(head, true, upper, after_);
  collect(tail, false, lower, before_);
  // What is reached both ways lies on a circle through the new edge.
  both_.clear();
  ranks_.clear();
  for (const std::uint32_t c : before_) {
    if (components_[c].forward) both_.push_back(c);
  }
  std::erase_if(before_, [this](std::uint32_t c) { return components_[c].forward; });
  std::erase_if(after_, [this](std::uint32_t c) { return components_[c].backward; });
  for (const auto* const group : {&before_, &both_, &after_}) {
    for (const std::uint32_t c : *group) {
      ranks_.push_back(components_[c].rank);
      components_[c].forward = components_[c].backward = false;
    }
  }
  // The same ranks are given out anew: first to what comes before, last to what comes after.
  std::sort(ranks_.begin(), ranks_.end());
  const auto by_rank = [this](std::uint32_t a, std::uint32_t b) {
    return components_[a].rank < components_[b].rank;
  };
  std::sort(before_.begin(), before_.end(), by_rank);
  std::sort(after_.begin(), after_.end(), by_rank);
  for (std::size_t i = 0; i < before_.size(); ++i) components_[before_[i]].rank = ranks_[i];
  const std::size_t last = ranks_.size() - after_.size();
  for (std::size_t i = 0; i < after_.size(); ++i) components_[after_[i]].rank = ranks_[last + i];
  if (both_.empty()) return;
  std::uint32_t merged = both_.front();
  for (std::size_t i = 1; i < both_.size(); ++i) merged = merge(merged, both_[i]);
  components_[merged].rank = ranks_[before_.size()];
}

}  // namespace impasse
