"""perl: fork, pipes, signals, and interpreter threads with shared variables and queues."""

import subprocess

from program_case import WORKLOADS, Run, main

PRINT_OWN_MAPS = 'open(my $maps, "<", "/proc/self/maps"); print <$maps>;'
THREE_WAITING_THREADS = """
use threads; use Thread::Queue;
my $queue = Thread::Queue->new();
my @threads = map { threads->create(sub { $queue->dequeue() }) } 1 .. 3;
<STDIN>;
$queue->enqueue(1, 2, 3);
my $sum = 0; $sum += $_->join() for @threads;
print "$sum\\n";
"""


def workload(run: Run) -> None:
    run.command(["perl", str(WORKLOADS / "processes.pl")], what="processes.pl", expect_status=3)
    run.command(["perl", "-e", 'kill "KILL", $$'], expect_status=-9)
    run.command(["perl", "-ne", "print scalar reverse"], feed=b"one\ntwo\n")

    maps = run.start(["perl", "-e", PRINT_OWN_MAPS]).communicate()[0]
    run.expect_named_in(maps, "perl")
    asked = run.start(["perl", "-MConfig", "-e", "print $Config{useithreads} // ''"])
    if asked.communicate()[0] == b"define":
        run.command(["perl", str(WORKLOADS / "threads.pl")], what="threads.pl", expect_status=4)
        waiting = run.start(["perl", "-e", THREE_WAITING_THREADS], stdin=subprocess.PIPE)
        run.until_threads(waiting.pid, 4)
        run.expect_mapped(waiting.pid, "perl with threads")
        run.finish(waiting, "waiting threads", feed=b"\n")


main("perl", needs=["perl"], workload=workload)
