// What the actor can do. Every step takes one text, which means nothing where no argument is.
#pragma once

namespace actor {

struct Step {
  const char* name;
  int arguments;
  void (*run)(const char* argument);
};

// ---- locks and threads (locks.cc)
void deadlock(const char*);         // two threads; returns when both are stuck for good
void misuse(const char* place);     // 0 to 3: at another place of the program
void be_busy(const char* seconds);  // four threads that lock and unlock
// Two threads: one sleeps under journal_mutex again and again until the file is there, the other
// wants it; then the caller sleeps under it once.
void keep_journal(const char* path);
void lock_stdout(const char*);       // by a thread that never lets go
void end_main_thread(const char*);   // the others go on; never returns
void end_last_thread(const char*);   // as the only one that is left; never returns
void fork_one(const char* status);   // a child that makes threads, locks, and ends; waits for it
void fork_stuck(const char*);        // a child that gets stuck; says "child: PID"
void vfork_one(const char* status);  // a child that ends with this; waits for it

// ---- what is found of them grows (growing.cc)
void leave_lock(const char*);      // a thread ends with it
void want_left_lock(const char*);  // returns when somebody waits for it
void lose_ball(const char*);       // two wait, each for the other to signal; returns then
void look_on(const char* status);  // waits for one of them to end; SIGUSR1: exits with this
void wait_long(const char*);       // one waits for a lock that another one has; returns then
void close_circle(const char*);    // ... who comes to want one of the waiter's
void come_late(const char*);       // a third one, behind them

// ---- what the program does to itself (surroundings.cc)
void await_file(const char* path);         // until it is there
void await_end_of_file(const char* path);  // until it is gone
void await_signals(const char* number);    // until so many of the handled ones came
void say(const char* text);                // a line, at once
void print(const char* text);  // a line into the buffer of stdout, which is not a terminal
void print_at_exit(const char* text);
void exit_with(const char* status);
void change_directory(const char* path);
void change_umask(const char* octal);
void limit_files(const char* bytes);  // RLIMIT_FSIZE
void limit_processes(const char* number);
void become_nobody(const char*);
void close_stderr(const char*);
void replace_stderr(const char* path);
void fill_stderr(const char*);  // until not one byte more fits
void open_for_good(const char* path);
void handle_signal(const char* number);  // counts them
void ignore_signal(const char* number);
void change_environment_often(const char* rounds);
void install_filter(const char* error);    // process_vm_readv() fails with this
void install_killing_filter(const char*);  // as services have one: calls that end the process
void filter_reads(const char*);            // ... process_vm_readv() does
void nest_in_fibre(const char*);           // on a stack that nobody knows, locks taken together
void fork_holding(const char* status);     // as fork_one(), with locks of several kinds held
void look_for_children(const char* path);  // until the file is there: nobody's child may be seen

}  // namespace actor
