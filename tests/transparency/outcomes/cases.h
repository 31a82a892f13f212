// The cases of the outcomes driver. Each prints, for one family of functions, every outcome that
// can be reached without undefined behaviour that hangs or crashes on bare glibc: function, kind of
// object, situation, result, errno, and who can take the lock afterwards.
#pragma once

namespace outcomes {

// Mutexes used rightly, one case for each set of attributes.
void mutex_plain();
void mutex_shared();
void mutex_robust();
void mutex_robust_shared();
void mutex_inherit();
void mutex_inherit_robust();
void mutex_protect();
void mutex_protect_in_real_time();
void mutex_handed_over();
void mutex_depth_limit();
void mutex_attributes_refused();

// Mutexes used wrongly, or left behind by a dead owner.
void mutex_unlocked_by_another();
void mutex_unlocked_while_free();
void mutex_destroyed_while_held();
void mutex_owner_died();
void mutex_owner_died_while_waited_for();

void rwlock_alone();
void rwlock_against_another();
void rwlock_handed_over();
void rwlock_behind_a_writer();
void rwlock_wrongly_unlocked();

void cond_timeouts();
void cond_wakeups();
void cond_owner_died();

void spin();

void threads_created();
void threads_joined();
void threads_named();

void c11_mutexes();
void c11_conditions();
void c11_threads();

void other_process_holds();
void other_process_dies();

}  // namespace outcomes
