// Reports of circles, of orders, of waits, and of threads that only each other could wake: each as
// a scene of its own.
#pragma once

#include "report_scene.h"

namespace impasse::report {

Report abba();
Report abba_with_crowd();
Report three_way();
Report philosophers(std::uint32_t n);
Report waiting_writer();
Report join_under_lock();
Report relock();
Report refused_relock();
Report join_ring();
Report once_within_itself();
Report once_and_lock();
Report unseen_relock();
Report upgrade();
Report in_handler();

Report order_of_two();
Report order_of_three_raw();
Report order_timed();
Report order_in_phases();
Report order_of_class();
Report order_of_reader_again();
Report order_of_readers();
Report order_of_condition_wait();
Report order_of_many(std::uint32_t n);
Report order_with_long_names();

Report full_queue();
Report crosswise_conditions();
Report lock_kept_in_wait();
Report semaphore_ring();
Report all_asleep(bool certain);
Report full_queue_and_main();
Report asleep_alone();
Report waits_under_lock();
Report barrier_too_few();

Report orphaned_by_end();
Report orphaned_by_fork();
Report readers_behind_writer();
Report starving_readers();
Report holder_not_known();
Report disk_stall();
Report misuse_of(MisuseKind kind);
Report destroyed_by_its_holder();
Report round_about_the_root();
Report everything();
Report without_names();

}  // namespace impasse::report
