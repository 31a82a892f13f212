// impasse graph: the orders in which a process was seen taking its locks, for Graphviz or for
// programs.
#pragma once

#include "report/report.h"

namespace impasse::command {

// What `impasse graph --json` prints is a report of no finding, as a dump is, with orders, and
// without threads: a dump has at least our own.
bool is_graph(const report::Report& report);

int graph(char** arguments);

}  // namespace impasse::command
