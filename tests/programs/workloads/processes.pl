# Perl: fork, pipes, child programs and signals.
use strict;
use warnings;
use POSIX ();
use Time::HiRes ();
use IPC::Open3;
use IO::Handle;

STDOUT->autoflush(1);

# fork and pipes
my %statuses;
for my $number (1 .. 8) {
    my $pid = fork() // die "fork: $!";
    if ($pid == 0) { exit $number }
    $statuses{$pid} = $number;
}
my $right = 0;
while ((my $pid = wait()) > 0) { $right++ if ($? >> 8) == $statuses{$pid} }
print "children with the right status: $right\n";

pipe(my $reader, my $writer) or die "pipe: $!";
if (!fork()) {
    close $reader;
    print $writer "line $_\n" for 1 .. 5000;
    close $writer;
    POSIX::_exit(0);
}
close $writer;
my @lines = <$reader>;
wait();
print "from the pipe: ", scalar(@lines), " lines, last $lines[-1]";
print "backticks: ", `echo hello; exit 3`, "status ", $? >> 8, "\n";
my $pid = open3(my $in, my $out, undef, 'sort', '-n');
print $in "$_\n" for reverse 1 .. 100;
close $in;
my @sorted = <$out>;
waitpid($pid, 0);
print "open3: @sorted[0,1,99]";
print "system: ", system('sh', '-c', 'exit 7') >> 8, "\n";

# signals
my $handled = 0;
local $SIG{USR1} = sub { $handled++ };
kill 'USR1', $$ for 1 .. 20;
print "signals handled: ", ($handled > 0 ? "yes" : "no"), "\n";
eval {
    local $SIG{ALRM} = sub { die "alarm\n" };
    Time::HiRes::ualarm(50_000);
    select(undef, undef, undef, 30);
};
print "sleep ended by: $@";
exit 3;
