#include "report/system_calls.h"

#include <sys/syscall.h>

#include <algorithm>
#include <iterator>

namespace impasse::report {
namespace {

struct Named {
  long number;
  const char* name;
};

#define IMPASSE_NAMED(name) \
  { SYS_##name, #name }
constexpr Named kNamed[] = {
    IMPASSE_NAMED(read),
    IMPASSE_NAMED(write),
    IMPASSE_NAMED(open),
    IMPASSE_NAMED(close),
    IMPASSE_NAMED(stat),
    IMPASSE_NAMED(fstat),
    IMPASSE_NAMED(poll),
    IMPASSE_NAMED(mmap),
    IMPASSE_NAMED(munmap),
    IMPASSE_NAMED(brk),
    IMPASSE_NAMED(rt_sigsuspend),
    IMPASSE_NAMED(ioctl),
    IMPASSE_NAMED(pread64),
    IMPASSE_NAMED(pwrite64),
    IMPASSE_NAMED(readv),
    IMPASSE_NAMED(writev),
    IMPASSE_NAMED(select),
    IMPASSE_NAMED(sched_yield),
    IMPASSE_NAMED(msync),
    IMPASSE_NAMED(pause),
    IMPASSE_NAMED(nanosleep),
    IMPASSE_NAMED(sendfile),
    IMPASSE_NAMED(connect),
    IMPASSE_NAMED(accept),
    IMPASSE_NAMED(sendto),
    IMPASSE_NAMED(recvfrom),
    IMPASSE_NAMED(sendmsg),
    IMPASSE_NAMED(recvmsg),
    IMPASSE_NAMED(shutdown),
    IMPASSE_NAMED(execve),
    IMPASSE_NAMED(exit),
    IMPASSE_NAMED(wait4),
    IMPASSE_NAMED(semop),
    IMPASSE_NAMED(msgsnd),
    IMPASSE_NAMED(msgrcv),
    IMPASSE_NAMED(fcntl),
    IMPASSE_NAMED(flock),
    IMPASSE_NAMED(fsync),
    IMPASSE_NAMED(fdatasync),
    IMPASSE_NAMED(truncate),
    IMPASSE_NAMED(ftruncate),
    IMPASSE_NAMED(getdents),
    IMPASSE_NAMED(rename),
    IMPASSE_NAMED(mkdir),
    IMPASSE_NAMED(rmdir),
    IMPASSE_NAMED(unlink),
    IMPASSE_NAMED(rt_sigtimedwait),
    IMPASSE_NAMED(sync),
    IMPASSE_NAMED(futex),
    IMPASSE_NAMED(io_getevents),
    IMPASSE_NAMED(semtimedop),
    IMPASSE_NAMED(getdents64),
    IMPASSE_NAMED(restart_syscall),
    IMPASSE_NAMED(clock_nanosleep),
    IMPASSE_NAMED(epoll_wait),
    IMPASSE_NAMED(mq_timedsend),
    IMPASSE_NAMED(mq_timedreceive),
    IMPASSE_NAMED(waitid),
    IMPASSE_NAMED(openat),
    IMPASSE_NAMED(unlinkat),
    IMPASSE_NAMED(renameat),
    IMPASSE_NAMED(pselect6),
    IMPASSE_NAMED(ppoll),
    IMPASSE_NAMED(splice),
    IMPASSE_NAMED(tee),
    IMPASSE_NAMED(sync_file_range),
    IMPASSE_NAMED(epoll_pwait),
    IMPASSE_NAMED(fallocate),
    IMPASSE_NAMED(accept4),
    IMPASSE_NAMED(preadv),
    IMPASSE_NAMED(pwritev),
    IMPASSE_NAMED(recvmmsg),
    IMPASSE_NAMED(syncfs),
    IMPASSE_NAMED(sendmmsg),
    IMPASSE_NAMED(getrandom),
    IMPASSE_NAMED(userfaultfd),
    IMPASSE_NAMED(copy_file_range),
    IMPASSE_NAMED(statx),
    IMPASSE_NAMED(io_uring_enter),
    IMPASSE_NAMED(exit_group),
    IMPASSE_NAMED(newfstatat),
    IMPASSE_NAMED(openat2),
    IMPASSE_NAMED(epoll_pwait2),
    IMPASSE_NAMED(futex_waitv),
};
#undef IMPASSE_NAMED

}  // namespace

std::string system_call_name(long number) {
  const auto found = std::find_if(std::begin(kNamed), std::end(kNamed),
                                  [number](const Named& n) { return n.number == number; });
  if (found == std::end(kNamed)) return "system call " + std::to_string(number);
  return found->name;
}

}  // namespace impasse::report
