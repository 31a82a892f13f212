// impasse dump [--json] PID|FILE
#pragma once

namespace impasse::command {

// `arguments` is what follows "dump", up to a null pointer. The exit status.
int dump(char** arguments);

}  // namespace impasse::command
