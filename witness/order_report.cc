// The lock order in a report: a circle that was found, or every order there is.
#include <algorithm>

#include "witness/order_watch.h"
#include "witness/report_builder.h"

namespace impasse::witness {

// The thread may have ended, and another have its number: then there is only what was seen.
report::Order ReportBuilder::order_from(const OrderSight& sight, std::uint32_t held,
                                        const OrderWatch& watch) {
  const SightedLock& from = sight.held[held];
  report::Order order;
  order.from = lock(from.life.address, from.kind);
  order.to = lock(sight.wanted.life.address, sight.wanted.kind);
  order.from_shared = from.shared;
  order.to_shared = sight.wanted.shared;
  order.to_timed = sight.wanted.timed;
  order.again = sight.again;
  order.tid = sight.tid;
  order.thread_name = sight.name;
  order.from_site = site_frame(from.site);
  order.to_site = site_frame(sight.wanted.site);
  order.stack = report_.stacks.keep(watch.stack_of(sight));
  if (from.frame != kNoFrame) order.from_frame = from.frame;
  for (std::uint32_t i = 0; i < sight.held.size(); ++i) {
    if (i == held) continue;
    const SightedLock& other = sight.held[i];
    order.others.push_back(
        {lock(other.life.address, other.kind), other.shared, site_frame(other.site)});
  }
  if (watch.lives(sight.thread, sight.tid)) {
    // A graph has no threads of its own.
    const std::size_t threads = std::min(snapshot_.threads.size(), report_.threads.size());
    for (std::uint32_t i = 0; i < threads; ++i) {
      if (snapshot_.threads[i].tid == sight.tid) order.thread = i;
    }
  }
  return order;
}

void ReportBuilder::add_circle(const OrderCircle& circle, std::uint64_t found_ns,
                               const OrderWatch& watch) {
  report::Finding& finding = report_.finding;
  finding.kind = FindingKind::kLockOrder;
  finding.doubt = circle.doubt;
  finding.found_ns = found_ns;
  for (const OrderStep& step : circle.steps) {
    report::Order order = order_from(step.sight, step.held, watch);
    order.seen = step.seen;
    order.threads = step.threads;
    order.first_ns = step.first_ns;
    order.last_ns = step.last_ns;
    if (order.thread != report::kNobody) report_.threads[order.thread].involved = true;
    finding.orders.push_back(std::move(order));
  }
}

void ReportBuilder::add_all_orders(const OrderWatch& watch, std::size_t most) {
  std::uint64_t left_out = 0;
  watch.orders().for_each_edge([&](const LockLife&, const LockLife&, const OrderEdge& edge) {
    if (edge.kept_count == 0) return;
    if (report_.finding.orders.size() >= most) {
      ++left_out;
      return;
    }
    const OrderEvidence& evidence = edge.kept[0];
    report::Order order = order_from(watch.orders().sight(evidence), evidence.held, watch);
    order.seen = edge.seen;
    order.threads = edge.threads;
    order.first_ns = edge.first_ns;
    order.last_ns = edge.last_ns;
    report_.finding.orders.push_back(std::move(order));
  });
  if (left_out != 0) {
    report_.notes.push_back(std::to_string(left_out) + " more orders were left out.");
  }
}

}  // namespace impasse::witness
