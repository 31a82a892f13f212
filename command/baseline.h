// impasse baseline FILE...
#pragma once

namespace impasse::command {

// `arguments` is what follows "baseline", up to a null pointer. The exit status.
int baseline(char** arguments);

}  // namespace impasse::command
