#include "detector/orders.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace impasse {

Orders::Orders(const OrderOptions& options)
    : options_(options),
      lives_(options.most_threads),
      graph_(lives_, OrderLevel::kLocks, options.most_edges),
      circles_(graph_, options.all),
      classes_(lives_, options.all) {}

void Orders::add(const LifeEvent& event) {
  events_.push_back(event);
  bound_the_waiting();
}

void Orders::add(OrderSight sight) {
  ++seen_;
  sights_.push_back(std::move(sight));
  bound_the_waiting();
}

// Whoever never says that all has come must not fill the memory.
void Orders::bound_the_waiting() {
  if (events_.size() + sights_.size() < kMostWaiting) return;
  hurried_ += events_.size() + sights_.size();
  std::uint64_t steps = kStepsATurn;
  process(kAll, steps);
}

std::vector<OrderCircle> Orders::take_circles(std::uint64_t settled, std::uint64_t steps) {
  process(settled, steps);
  return std::exchange(news_, {});
}

void Orders::rest() {
  if (events_.empty()) decltype(events_)().swap(events_);
  if (sights_.empty()) decltype(sights_)().swap(sights_);
}

// All in the order of their moments: a sight's phase is what its thread had done by then.
void Orders::process(std::uint64_t settled, std::uint64_t& steps) {
  const auto earlier = [](const auto& a, const auto& b) { return a.moment < b.moment; };
  std::stable_sort(events_.begin(), events_.end(), earlier);
  std::stable_sort(sights_.begin(), sights_.end(), earlier);
  auto event = events_.begin();
  auto sight = sights_.begin();
  while (true) {
    const bool has_event = event != events_.end() && event->moment <= settled;
    const bool has_sight = sight != sights_.end() && sight->moment <= settled;
    if (has_event && (!has_sight || event->moment <= sight->moment)) {
      lives_.add(*event++);
    } else if (has_sight) {
      think(std::move(*sight++), steps);
    } else {
      break;
    }
  }
  events_.erase(events_.begin(), event);
  sights_.erase(sights_.begin(), sight);
}

void Orders::think(OrderSight sight, std::uint64_t& steps) {
  auto evidence = as_evidence(std::move(sight));
  if (!evidence) return;
  // By value: telling must not depend on what the graph does next.
  const std::vector<OrderGraph::Fresh> fresh =
      options_.classes ? graph_.add(*evidence) : graph_.add(std::move(*evidence));
  for (const OrderGraph::Fresh& one : fresh) {
    if (auto circle = circles_.through(one, steps)) tell(std::move(*circle));
  }
  if (!options_.classes) return;
  std::vector<OrderCircle> found;
  classes_.add(*evidence, steps, found);
  for (OrderCircle& circle : found) tell(std::move(circle));
}

void Orders::tell(OrderCircle circle) {
  switch (told_.judge(circle)) {
    case ToldCircles::News::kAlike:
      ++alike_;
      return;
    case ToldCircles::News::kNoRoom:
      ++refused_circles_;
      return;
    case ToldCircles::News::kYes:
      ++told_count_;
      news_.push_back(std::move(circle));
  }
}

OrderSummary Orders::summary() const {
  OrderSummary summary;
  summary.locks = graph_.nodes();
  summary.edges = graph_.edges();
  summary.kept_sights = graph_.sights().size();
  summary.threads = lives_.size();
  summary.sights = seen_;
  summary.circles = told_count_;
  summary.alike = alike_;
  for (const OrderSilences* const part : {&circles_.silences(), &classes_.silences()}) {
    summary.silences.readers += part->readers;
    summary.silences.one_thread += part->one_thread;
    summary.silences.gate += part->gate;
    summary.silences.ordered += part->ordered;
    summary.silences.out_of_steps += part->out_of_steps;
  }
  summary.refused_edges = graph_.refused() + classes_.refused();
  summary.refused_circles = refused_circles_;
  summary.hurried = hurried_;
  summary.lives = lives_.counts();
  return summary;
}

}  // namespace impasse
