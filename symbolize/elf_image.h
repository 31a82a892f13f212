// What the mapped headers of a module tell: its bias, its build-id, its table of unwind
// information.
//
// Promises: reads only through Memory, at most some ten reads of bounded size; wrong or hostile
// headers give less knowledge, never a wrong read of our own memory.
#pragma once

#include "symbolize/modules.h"
#include "system/memory.h"

namespace impasse::symbolize {

// Sets image_read when the headers could be read (or can never be: no ELF file, no code in it).
void read_image(Module& module, const system::Memory& memory);

}  // namespace impasse::symbolize
