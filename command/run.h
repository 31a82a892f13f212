// impasse run [--KEY=VALUE …] [--] PROGRAM ARGS…
#pragma once

namespace impasse::command {

// `arguments` is what follows "run", up to a null pointer. Returns only when the program could not
// be started.
int run(char** arguments);

}  // namespace impasse::command
