// The cases of the cancellation driver.
#pragma once

namespace cancellation {

// Blocked in each call, whether it can be cancelled there or not.
void in_cond_wait();
void in_cond_timedwait();
void in_cond_clockwait();
void in_cnd_wait();
void in_cnd_timedwait();
void in_std_condition_variable();
void in_join();
void in_timedjoin();
void in_clockjoin();
void in_read();
void in_mutex_lock();
void in_rwlock_wrlock();
void in_mtx_lock();

// What a cancelled thread goes through, and what it may do about it.
void pending_before_wait();
void disabled();
void asynchronous();
void nested_handlers();
void recursive_mutex();
void robust_mutex_without_handler();
void caught_and_rethrown();
void caught_and_kept();
void crowd();

}  // namespace cancellation
