#include "cancellation/cases.h"
#include "support/driver.h"

namespace {

constexpr transparency::Case kCases[] = {
    {"in-cond-wait", cancellation::in_cond_wait},
    {"in-cond-timedwait", cancellation::in_cond_timedwait},
    {"in-cond-clockwait", cancellation::in_cond_clockwait},
    {"in-cnd-wait", cancellation::in_cnd_wait},
    {"in-cnd-timedwait", cancellation::in_cnd_timedwait},
    {"in-std-condition-variable", cancellation::in_std_condition_variable},
    {"in-join", cancellation::in_join},
    {"in-timedjoin", cancellation::in_timedjoin},
    {"in-clockjoin", cancellation::in_clockjoin},
    {"in-read", cancellation::in_read},
    {"pending-before-wait", cancellation::pending_before_wait},
    {"disabled", cancellation::disabled},
    {"asynchronous", cancellation::asynchronous},
    {"in-mutex-lock", cancellation::in_mutex_lock},
    {"in-rwlock-wrlock", cancellation::in_rwlock_wrlock},
    {"in-mtx-lock", cancellation::in_mtx_lock},
    {"nested-handlers", cancellation::nested_handlers},
    {"recursive-mutex", cancellation::recursive_mutex},
    {"robust-mutex-without-handler", cancellation::robust_mutex_without_handler},
    {"caught-and-rethrown", cancellation::caught_and_rethrown},
    {"caught-and-kept", cancellation::caught_and_kept},
    {"crowd", cancellation::crowd},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
