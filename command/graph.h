// impasse graph: the orders in which a process was seen taking its locks, for Graphviz or for
// programs.
#pragma once

namespace impasse::command {

int graph(char** arguments);

}  // namespace impasse::command
