#include "detector/order_graph.h"

#include <algorithm>
#include <utility>

namespace impasse {
namespace {

// Sights of one thread that differ in nothing but the phase.
constexpr unsigned kMostPhases = 3;
constexpr std::size_t kWorthCompacting = 1'024;
constexpr std::size_t kWorthSorting = 64;

}  // namespace

const std::vector<OrderGraph::Fresh>& OrderGraph::add(OrderSight added) {
  fresh_.clear();
  const LockLife to = node_of(added.wanted, rules_.level());
  if (to.address == 0) return fresh_;
  const std::uint32_t id = store_.put(std::move(added));
  const OrderSight& sight = store_[id];
  for (std::uint32_t held = 0; held < sight.held.size(); ++held) {
    const LockLife from = node_of(sight.held[held], rules_.level());
    if (from.address == 0 || (from == to && !self_loop_counts())) continue;
    const auto earlier = sight.held.begin() + held;
    if (std::any_of(sight.held.begin(), earlier, [&](const SightedLock& other) {
          return node_of(other, rules_.level()) == from;
        })) {
      continue;  // another of the same class
    }
    const std::uint32_t number = edge_between(from, to);
    if (number == kNowhere) continue;
    OrderEdge& edge = net_.edges[number];
    count(edge, sight);
    if (!keep(edge, {id, held})) continue;
    fresh_.push_back({number, {id, held}});
  }
  store_.drop_unused(id);
  // A later order of the same sight may have joined the ends of an earlier one.
  std::erase_if(fresh_, [this](const Fresh& fresh) {
    const OrderEdge& edge = net_.edges[fresh.edge];
    return !order_.together(edge.from, edge.to);
  });
  return fresh_;
}

std::uint32_t OrderGraph::node_of_life(const LockLife& life) const {
  return by_life_.find(LockLifeHash()(life),
                       [&](std::uint32_t node) { return net_.nodes[node].life == life; });
}

std::uint32_t OrderGraph::edge_between(const LockLife& from, const LockLife& to) {
  static_assert(NumberTable::kNone == kNowhere);
  std::uint32_t tail = node_of_life(from);
  std::uint32_t head = node_of_life(to);
  const bool has_from = tail != kNowhere;
  const bool has_to = head != kNowhere;
  if (has_from && has_to) {
    const std::uint32_t known = by_ends_.find(hash_of_ends(tail, head), [&](std::uint32_t number) {
      return net_.edges[number].from == tail && net_.edges[number].to == head;
    });
    if (known != kNowhere) return known;
  }
  if (by_ends_.size() >= most_edges_) {
    ++refused_;
    return kNowhere;
  }
  // A new lock takes its rank from the first order that it has: then that one costs nothing.
  if (!has_from) tail = new_node(from, !has_to);
  if (!has_to) head = from == to ? tail : new_node(to, true);
  return new_edge(tail, head);
}

std::uint32_t OrderGraph::new_node(const LockLife& life, bool last) {
  std::uint32_t node = 0;
  if (free_nodes_.empty()) {
    node = static_cast<std::uint32_t>(net_.nodes.size());
    net_.nodes.emplace_back();
  } else {
    node = free_nodes_.back();
    free_nodes_.pop_back();
  }
  net_.nodes[node].life = life;
  net_.nodes[node].used = true;
  by_life_.insert(node, life_hash());
  if (last) {
    order_.add_last(node);
  } else {
    order_.add_first(node);
  }
  return node;
}

std::uint32_t OrderGraph::new_edge(std::uint32_t from, std::uint32_t to) {
  std::uint32_t number = 0;
  if (free_edges_.empty()) {
    number = static_cast<std::uint32_t>(net_.edges.size());
    net_.edges.emplace_back();
  } else {
    number = free_edges_.back();
    free_edges_.pop_back();
  }
  OrderEdge& edge = net_.edges[number];
  edge = {};
  edge.from = from;
  edge.to = to;
  edge.out_at = static_cast<std::uint32_t>(net_.nodes[from].out.size());
  edge.in_at = static_cast<std::uint32_t>(net_.nodes[to].in.size());
  net_.nodes[from].out.push_back(number);
  net_.nodes[to].in.push_back(number);
  by_ends_.insert(number, ends_hash());
  order_.edge_added(from, to);
  return number;
}

void OrderGraph::count(OrderEdge& edge, const OrderSight& sight) const {
  bool kept = false;
  for (std::uint32_t i = 0; i < edge.kept_count && !kept; ++i)
    kept = store_[edge.kept[i].sight].thread == sight.thread;
  if (!kept && (edge.all_kept || sight.thread > edge.newest_thread)) ++edge.threads;
  edge.newest_thread = std::max(edge.newest_thread, sight.thread);
  if (edge.seen++ == 0 || sight.when_ns < edge.first_ns) edge.first_ns = sight.when_ns;
  edge.last_ns = std::max(edge.last_ns, sight.when_ns);
}

// Whether it was worth keeping.
bool OrderGraph::keep(OrderEdge& edge, OrderEvidence evidence) {
  const OrderSight& sight = store_[evidence.sight];
  const std::uint32_t phase = store_.phase(evidence.sight);
  std::uint32_t alike = 0;
  std::uint32_t latest_alike = kNowhere;
  for (std::uint32_t i = 0; i < edge.kept_count; ++i) {
    const OrderEvidence known = edge.kept[i];
    if (!rules_.covers(store_[known.sight], known.held, sight, evidence.held)) continue;
    if (known.sight == evidence.sight || store_.phase(known.sight) == phase) return false;
    ++alike;
    if (latest_alike == kNowhere ||
        store_[known.sight].moment > store_[edge.kept[latest_alike].sight].moment) {
      latest_alike = i;
    }
  }
  if (alike >= kMostPhases) {
    remove_kept(edge, latest_alike);
  } else {
    for (std::uint32_t i = edge.kept_count; i-- > 0;) {
      const OrderEvidence known = edge.kept[i];
      if (store_.phase(known.sight) == phase &&
          rules_.covers(sight, evidence.held, store_[known.sight], known.held)) {
        remove_kept(edge, i);
      }
    }
  }
  if (edge.kept_count == kSightsPerOrder) {
    const std::uint32_t place = victim(edge, sight);
    edge.all_kept = false;
    if (place == kNowhere) return false;
    remove_kept(edge, place);
  }
  store_.use(evidence.sight);
  edge.kept.set(edge.kept_count++, evidence);
  return true;
}

// Which of the kept ones is worth less than the new one; kNowhere: none.
std::uint32_t OrderGraph::victim(const OrderEdge& edge, const OrderSight& sight) const {
  std::array<unsigned, kSightsPerOrder> of_same_thread{};
  unsigned of_this = 0;
  for (std::uint32_t i = 0; i < edge.kept_count; ++i) {
    const ThreadNumber thread = store_[edge.kept[i].sight].thread;
    of_this += thread == sight.thread ? 1U : 0U;
    for (std::uint32_t k = 0; k < edge.kept_count; ++k) {
      of_same_thread[i] += store_[edge.kept[k].sight].thread == thread ? 1U : 0U;
    }
  }
  const auto gates = [&](std::uint32_t i) { return store_[edge.kept[i].sight].held.size(); };
  const auto worst = [&](auto may_go) {
    std::uint32_t found = kNowhere;
    for (std::uint32_t i = 0; i < edge.kept_count; ++i) {
      if (may_go(i) && (found == kNowhere || gates(i) > gates(found))) found = i;
    }
    return found;
  };
  // A thread that has more than one gives way to one that would have fewer.
  const std::uint32_t crowded =
      worst([&](std::uint32_t i) { return of_same_thread[i] > of_this + 1; });
  if (crowded != kNowhere) return crowded;
  const std::uint32_t gone = worst([&](std::uint32_t i) {
    return of_this == 0 && lives_.ended(store_[edge.kept[i].sight].thread);
  });
  if (gone != kNowhere) return gone;
  return worst([&](std::uint32_t i) {
    const bool fair = of_this == 0 || store_[edge.kept[i].sight].thread == sight.thread;
    return fair && gates(i) > sight.held.size();
  });
}

void OrderGraph::remove_kept(OrderEdge& edge, std::uint32_t place) {
  store_.leave(edge.kept[place].sight);
  edge.kept.set(place, edge.kept[--edge.kept_count]);
}

void OrderGraph::remove_edge(std::uint32_t number) {
  OrderEdge& edge = net_.edges[number];
  while (edge.kept_count != 0) remove_kept(edge, edge.kept_count - 1);
  auto& out = net_.nodes[edge.from].out;
  out[edge.out_at] = out.back();
  net_.edges[out.back()].out_at = edge.out_at;
  out.pop_back();
  auto& in = net_.nodes[edge.to].in;
  in[edge.in_at] = in.back();
  net_.edges[in.back()].in_at = edge.in_at;
  in.pop_back();
  by_ends_.erase(number, ends_hash());
  edge = {};  // from nowhere
  free_edges_.push_back(number);
}

void OrderGraph::remove_node(std::uint32_t node) {
  OrderNode& here = net_.nodes[node];
  while (!here.out.empty()) remove_edge(here.out.back());
  while (!here.in.empty()) remove_edge(here.in.back());
  if (order_.component_size(node) > 2) ++broken_;
  order_.remove(node);
  by_life_.erase(node, life_hash());
  here = {};
  free_nodes_.push_back(node);
}

void OrderGraph::end(const LockLife& life) {
  const std::uint32_t node = node_of_life(life);
  if (node == kNowhere) return;
  remove_node(node);
  compact_if_worth_it();
}

void OrderGraph::compact_if_worth_it() {
  const bool hollow = free_edges_.size() + free_nodes_.size() > kWorthCompacting &&
                      free_edges_.size() + free_nodes_.size() > edges() + nodes();
  // Components that fell apart cost searches that find nothing.
  const bool loose = broken_ > kWorthSorting && broken_ > nodes() / 4;
  if (hollow || loose) compact();
}

void OrderGraph::compact() {
  ++compactions_;
  OrderNet old = std::exchange(net_, {});
  const DynamicOrder old_order = std::move(order_);
  // In the old order, so that nearly all edges lie along the new one from the beginning.
  std::vector<std::uint32_t> sorted;
  sorted.reserve(nodes());
  for (std::uint32_t i = 0; i < old.nodes.size(); ++i) {
    if (old.nodes[i].used) sorted.push_back(i);
  }
  std::sort(sorted.begin(), sorted.end(), [&](std::uint32_t a, std::uint32_t b) {
    return old_order.rank(a) < old_order.rank(b);
  });
  std::vector<std::uint32_t> renamed(old.nodes.size(), kNowhere);
  by_life_ = {};
  by_ends_ = {};
  decltype(free_nodes_)().swap(free_nodes_);
  decltype(free_edges_)().swap(free_edges_);
  decltype(fresh_)().swap(fresh_);
  order_ = DynamicOrder(net_);
  for (const std::uint32_t node : sorted) renamed[node] = new_node(old.nodes[node].life, true);
  std::vector<std::uint32_t> sights;
  store_.compact([&](std::uint32_t from, std::uint32_t to) {
    if (from >= sights.size()) sights.resize(from + std::size_t{1}, kNowhere);
    sights[from] = to;
  });
  for (OrderEdge& edge : old.edges) {
    if (edge.from == kNowhere) continue;
    OrderEdge& anew = net_.edges[new_edge(renamed[edge.from], renamed[edge.to])];
    const auto [from, to, out_at, in_at] = std::array{anew.from, anew.to, anew.out_at, anew.in_at};
    anew = std::move(edge);
    anew.from = from;
    anew.to = to;
    anew.out_at = out_at;
    anew.in_at = in_at;
    for (std::uint32_t i = 0; i < anew.kept_count; ++i) {
      anew.kept.set(i, {sights[anew.kept[i].sight], anew.kept[i].held});
    }
  }
  cursor_ = 0;
  broken_ = 0;
}

bool OrderGraph::consistent() const {
  std::size_t edges = 0;
  for (std::uint32_t number = 0; number < net_.edges.size(); ++number) {
    const OrderEdge& edge = net_.edges[number];
    if (edge.from == kNowhere) continue;
    ++edges;
    if (!order_.together(edge.from, edge.to) && order_.rank(edge.from) >= order_.rank(edge.to)) {
      return false;
    }
    if (net_.nodes[edge.from].out[edge.out_at] != number) return false;
    if (net_.nodes[edge.to].in[edge.in_at] != number) return false;
  }
  return edges == by_ends_.size();
}

}  // namespace impasse
