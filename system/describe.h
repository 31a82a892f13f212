// What a thread that was looked at does: system::Activity, filled as far as the kernel lets us see.
//
// Promises: nobody is disturbed, nothing of the program's is opened. `since_ns` is left to the
// caller, who knows how long it has looked; waits that impasse sees itself (kInWait) as well.
// Cost: 5 µs; the first socket of a burst 3 to 7 ms where it is a TCP one (see sockets.h).
//
//   system::ProcFiles process;           // ourselves; ProcFiles(pid): another process
//   system::Memory memory;               // of the same process
//   system::Descriptors descriptors(process);  // one for each burst
//   const system::TaskLook look = system::look_at_task(process, tid);
//   thread.activity = system::describe(process, tid, look, memory, descriptors);
#pragma once

#include <cstdint>

#include "system/activity.h"
#include "system/descriptors.h"
#include "system/memory.h"
#include "system/proc_files.h"
#include "system/tasks.h"

namespace impasse::system {

Activity describe(const ProcFiles& process, std::uint32_t tid, const TaskLook& look,
                  const Memory& memory, Descriptors& descriptors);

}  // namespace impasse::system
