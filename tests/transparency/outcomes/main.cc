#include "outcomes/cases.h"
#include "support/driver.h"

namespace {

constexpr transparency::Case kCases[] = {
    {"mutex-plain", outcomes::mutex_plain},
    {"mutex-shared", outcomes::mutex_shared},
    {"mutex-robust", outcomes::mutex_robust},
    {"mutex-robust-shared", outcomes::mutex_robust_shared},
    {"mutex-inherit", outcomes::mutex_inherit},
    {"mutex-inherit-robust", outcomes::mutex_inherit_robust},
    {"mutex-protect", outcomes::mutex_protect},
    {"mutex-protect-in-real-time", outcomes::mutex_protect_in_real_time},
    {"mutex-handed-over", outcomes::mutex_handed_over},
    {"mutex-depth-limit", outcomes::mutex_depth_limit},
    {"mutex-attributes-refused", outcomes::mutex_attributes_refused},
    {"mutex-unlocked-by-another", outcomes::mutex_unlocked_by_another},
    {"mutex-unlocked-while-free", outcomes::mutex_unlocked_while_free},
    {"mutex-destroyed-while-held", outcomes::mutex_destroyed_while_held},
    {"mutex-owner-died", outcomes::mutex_owner_died},
    {"mutex-owner-died-while-waited-for", outcomes::mutex_owner_died_while_waited_for},
    {"rwlock-alone", outcomes::rwlock_alone},
    {"rwlock-against-another", outcomes::rwlock_against_another},
    {"rwlock-handed-over", outcomes::rwlock_handed_over},
    {"rwlock-behind-a-writer", outcomes::rwlock_behind_a_writer},
    {"rwlock-wrongly-unlocked", outcomes::rwlock_wrongly_unlocked},
    {"cond-timeouts", outcomes::cond_timeouts},
    {"cond-wakeups", outcomes::cond_wakeups},
    {"cond-owner-died", outcomes::cond_owner_died},
    {"spin", outcomes::spin},
    {"threads-created", outcomes::threads_created},
    {"threads-joined", outcomes::threads_joined},
    {"threads-named", outcomes::threads_named},
    {"c11-mutexes", outcomes::c11_mutexes},
    {"c11-conditions", outcomes::c11_conditions},
    {"c11-threads", outcomes::c11_threads},
    {"other-process-holds", outcomes::other_process_holds},
    {"other-process-dies", outcomes::other_process_dies},
};

}  // namespace

int main(int argc, char** argv) {
  return transparency::run_driver(argc, argv, kCases);
}
