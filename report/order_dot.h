// The order graph of a process for Graphviz: a node for each lock, an arrow from a lock that was
// held to one that was taken then.
//
// Promises: valid DOT whatever bytes the names have; arrows that lie on a circle are red, and so
// are their locks; equal reports make equal texts. Offline only. Linear in locks and orders.
#pragma once

#include <string>
#include <vector>

#include "report/report.h"

namespace impasse::report {

// `report.finding.orders` are the arrows; they need not make a circle.
std::string orders_dot(const Report& report);

// For each order, whether it lies on a circle of them.
std::vector<bool> orders_on_circles(const Report& report);

}  // namespace impasse::report
