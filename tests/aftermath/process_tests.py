"""Stopped, forked, in a sandbox, without a ledger: findings come, or rightly do not."""

import glob
import os
import re
import signal
import time

from aftermath_case import AftermathCase
from sample_run import until
from stage import ledgers_of

STUCK = "deadlock say stuck await TMP/end"
STOPPED_SECONDS = 3
NO_PROCESS = 1 << 23  # above what the kernel gives


class ProcessTest(AftermathCase):
    def test_stopped_and_continued(self):
        """Nobody waited: nothing ran."""
        run = self.play("say ready busy 5", options="wait=1s")
        run.wait_until_it_says("ready")
        time.sleep(0.3)  # it locks in all phases
        os.kill(run.pid, signal.SIGSTOP)
        time.sleep(STOPPED_SECONDS)
        os.kill(run.pid, signal.SIGCONT)
        self.assertEqual(run.end(30), 0)
        self.assertEqual((run.report_files(), run.complaints()), ([], ""))

    def test_ledger_off(self):
        self.reported(self.play(STUCK, options="ledger=off"))

    def test_ledger_nowhere(self):
        self.reported(self.play(STUCK, options="ledger=TMP/nowhere"))

    def said_of_ledger(self, options, **how):
        """In the log; nowhere else."""
        run = self.play(STUCK, options=f"{options} log=TMP/log", **how)
        self.reported(run)
        self.assertEqual(run.lines(), [])
        with open(run.path("log"), encoding="utf-8") as log:
            lines = [line for line in log if "ledger" in line]
        return [line.partition("the ledger cannot be kept in ")[2] for line in lines], run

    def test_ledger_that_cannot_be_had_leaves_a_line(self):
        rest = "; impasse dump, stats and graph cannot see this process\n"
        told, run = self.said_of_ledger("ledger=TMP/nowhere")
        self.assertEqual(told, [f"{run.path('nowhere')} (No such file or directory){rest}"])
        told, run = self.said_of_ledger("ledger=TMP/out")
        self.assertEqual(told, [f"{run.path('out')} (Not a directory){rest}"])
        for fine in ("ledger=off", "ledger=TMP", "ledger=/dev/shm"):
            self.assertEqual(self.said_of_ledger(fine)[0], [], fine)

    def test_ledger_not_writable_leaves_a_line(self):
        self.need_root()

        def prepare(run):
            self.open_to_all(run)
            os.chmod(run.directory, 0o777)
            os.mkdir(run.path("mine"), 0o755)

        run = self.play(
            f"become-nobody {STUCK}",
            options="ledger=TMP/mine log=TMP/log",
            prepare=prepare,
        )
        self.reported(run)
        with open(run.path("log"), encoding="utf-8") as log:
            self.assertIn(f"kept in {run.path('mine')} (Permission denied);", log.read())

    def test_forked_child_stuck(self):
        run = self.play("misuse 0 fork-stuck await TMP/end")
        run.wait_until_it_says("child:")
        child = int(re.search(r"child: (\d+)", run.output()).group(1))
        kinds = {report.pid: report.finding["kind"] for report in self.reported(run, 2)}
        self.assertEqual(kinds, {run.pid: "misuse", child: "deadlock"})
        numbers = [report.number for report in self.reported(run, 2)]
        self.assertEqual(numbers, [1, 1])
        os.kill(child, signal.SIGKILL)
        for path in ledgers_of(child, run.started_wall):
            os.unlink(path)

    def test_hundred_children(self):
        run = self.play("busy 0 " + "fork 7 " * 100 + "exit 4")
        before = set(glob.glob("/dev/shm/impasse.*"))
        self.assertEqual(run.end(60), 4)
        self.assertEqual((run.output(), run.complaints(), run.report_files()), ("", "", []))
        left = [
            path
            for path in set(glob.glob("/dev/shm/impasse.*")) - before
            if not os.path.exists(f"/proc/{path.split('.')[1]}")
        ]
        self.assertEqual(left, [])

    def test_filter_of_system_calls(self):
        """process_vm_readv() is forbidden: stacks are had in another way."""
        run = self.play(f"filter 1 {STUCK}")
        report = self.reported(run)[0]
        for link in report.cycle:
            stack = report.threads[link["waiter"]]["stack"]
            self.assertTrue(stack["frames"], stack)

    def test_filter_that_kills(self):
        """What the program may not do we do not do either; stacks are missing, and why is said."""
        run = self.play(f"killing-filter {STUCK}")
        report = self.reported(run)[0]
        for link in report.cycle:
            stack = report.threads[link["waiter"]]["stack"]
            self.assertIn("a filter of system calls forbids", stack["trouble"])

    def assert_not_read_by_force(self, run, count):
        """A filter ends who reads memory in the usual way: we do not, and see what we may."""
        report = next(one for one in self.reported(run, count) if one.finding["kind"] == "deadlock")
        for link in report.cycle:
            stack = report.threads[link["waiter"]]["stack"]
            self.assertTrue(stack["frames"], stack)
        self.assertIn("looks at memory that a filter", str(report.json["dropped"]))

    def test_filter_of_reads(self):
        run = self.play(f"reads-kill nest-in-fibre fork-holding 3 {STUCK}", options="order=on")
        self.assert_not_read_by_force(run, 1)

    def test_filter_of_reads_that_comes_late(self):
        steps = f"misuse 0 await TMP/go reads-kill nest-in-fibre fork-holding 3 {STUCK}"
        run = self.play(steps, options="order=on")
        self.reported(run)
        run.make("go")
        self.assert_not_read_by_force(run, 2)

    def test_filter_and_hook(self):
        run = self.play(f"filter 1 {STUCK}", options="on_finding=TMP/hook log=TMP/log")
        self.reported(run)
        run.wait_for_text("on_finding could not be run: a filter of system calls is on")

    def left_behind(self, run, number, age_seconds, bytes_of_it=0, namespace=None):
        """As a killed process leaves it; no process has such a number."""
        namespace = namespace or os.stat("/proc/self/ns/pid").st_ino
        name = f"impasse.{number}.{namespace:x}"
        with open(os.path.join(run.path("ledgers"), name), "wb") as file:
            if bytes_of_it:
                os.posix_fallocate(file.fileno(), 0, bytes_of_it)
        then = time.time() - age_seconds
        os.utime(file.name, (then, then))
        return name

    def what_stays(self, lay_out):
        """The files that are there once a process has come by; and those that are expected."""
        expected = set()

        def prepare(run):
            os.mkdir(run.path("ledgers"))
            expected.update(lay_out(run))

        steps = "busy 0 say ready await TMP/end"
        run = self.play(steps, options="ledger=TMP/ledgers", prepare=prepare)
        run.wait_until_it_says("ready")
        [own] = ledgers_of(run.pid, run.started_wall, run.path("ledgers"))
        expected.add(os.path.basename(own))
        until(lambda: set(os.listdir(run.path("ledgers"))) == expected, f"only {expected} is there")
        run.make("end")
        self.assertEqual(run.end(30), 0)

    def test_left_ledgers_few(self):
        """The eight newest of our own, and all that are none of our business."""

        def lay_out(run):
            names = [self.left_behind(run, NO_PROCESS + age, 60 * age) for age in range(12)]
            foreign = self.left_behind(run, NO_PROCESS + 20, 9_999, namespace=4711)
            live = self.left_behind(run, os.getpid(), 9_999)
            no_number = self.left_behind(run, "x7", 9_999)
            return {*names[:8], foreign, live, no_number}

        self.what_stays(lay_out)

    def test_left_ledgers_small(self):
        """64 MiB of them at most; but the newest, whatever its size."""

        def lay_out(run):
            small = self.left_behind(run, NO_PROCESS + 1, 10, 1 << 20)
            medium = self.left_behind(run, NO_PROCESS + 2, 20, 40 << 20)
            self.left_behind(run, NO_PROCESS + 3, 30, 40 << 20)
            return {small, medium}

        self.what_stays(lay_out)

        def lay_out_large(run):
            large = self.left_behind(run, NO_PROCESS + 1, 10, 80 << 20)
            self.left_behind(run, NO_PROCESS + 2, 20, 4096)
            return {large}

        self.what_stays(lay_out_large)
