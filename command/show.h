// impasse show [--json|--suppression] [--raw] [--colour=WHEN] [--debug-dir DIR]... FILE...
#pragma once

namespace impasse::command {

// `arguments` is what follows "show", up to a null pointer. The exit status.
int show(char** arguments);

}  // namespace impasse::command
