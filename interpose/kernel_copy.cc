#include "interpose/kernel_copy.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "interpose/current.h"
#include "interpose/session.h"

namespace impasse {

std::size_t copy_by_kernel(const iovec& to, const iovec* from, unsigned parts) {
  const ErrnoKept errno_kept;
  // Asked each time: a program may enter a sandbox at any moment. EINVAL: the kernel knows none.
  const int mode = prctl(PR_GET_SECCOMP);
  if (mode > 0 || (mode < 0 && errno != EINVAL)) {
    if (Ledger* const here = ledger()) here->count(k_reads_forbidden);
    return 0;
  }
  const long n = syscall(SYS_process_vm_readv, syscall(SYS_getpid), &to, 1, from, parts, 0);
  return n < 0 ? 0 : static_cast<std::size_t>(n);
}

}  // namespace impasse
