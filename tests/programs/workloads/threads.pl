# Perl's interpreter threads: shared variables, conditions, queues, and a fork from a thread.
use strict;
use warnings;
use threads;
use threads::shared;
use POSIX ();
use Thread::Queue;
use Thread::Semaphore;
use IO::Handle;

STDOUT->autoflush(1);

my $total :shared = 0;
my @adders = map {
    threads->create(sub { for (1 .. 400) { lock($total); $total++ } return threads->tid() > 0 })
} 1 .. 4;
my $returned = grep { $_->join() } @adders;
print "shared total: $total, joined: $returned\n";

my ($todo, $done) = (Thread::Queue->new(), Thread::Queue->new());
my $slots = Thread::Semaphore->new(2);
my @workers = map {
    threads->create(sub {
        while (defined(my $item = $todo->dequeue())) {
            $slots->down();
            $done->enqueue($item * $item);
            $slots->up();
        }
    })
} 1 .. 3;
$todo->enqueue(1 .. 300);
$todo->end();
$_->join() for @workers;
my $sum = 0;
$sum += $done->dequeue() for 1 .. 300;
print "queue: $sum\n";

my $turn :shared = 0;
my @players = map {
    my $mine = $_;
    threads->create(sub {
        for (1 .. 100) {
            lock($turn);
            cond_wait($turn) until $turn % 2 == $mine;
            $turn++;
            cond_broadcast($turn);
        }
    })
} 0, 1;
$_->join() for @players;
print "turns: $turn\n";

my $forked = threads->create(sub {
    my $child = fork() // die "fork: $!";
    POSIX::_exit(9) if $child == 0;
    waitpid($child, 0);
    return $? >> 8;
})->join();
print "fork from a thread: $forked\n";
my $failed = threads->create(sub { die "in a thread\n" });
$failed->join();
print "its error: ", $failed->error();
exit 4;
