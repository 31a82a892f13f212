// Memory of the process that may be gone, read from a thread of the program: through the kernel, so
// that a hole is an answer and not a crash.
//
// Promises: no lock, no allocation, errno kept. Nothing is read where the thread lives under a
// filter of system calls, which might end the process for a call that the program never makes: that
// is counted. Cost: three system calls.
#pragma once

#include <sys/uio.h>

#include <cstddef>

namespace impasse {

// How many bytes from the front could be had.
std::size_t copy_by_kernel(const iovec& to, const iovec* from, unsigned parts);

}  // namespace impasse
