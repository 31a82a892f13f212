// impasse stats: numbers of the locks of a process that was started with stats=on.
#pragma once

namespace impasse::command {

int stats(char** arguments);

}  // namespace impasse::command
