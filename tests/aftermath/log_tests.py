"""The log, the limit of reports, the signal that asks for a dump."""

import json
import os
import signal
import subprocess
import time

from aftermath_case import AftermathCase
from sample_run import until

STUCK = "deadlock say stuck await TMP/end"
LOOKS_SECONDS = 0.5  # the watchdog has looked several times
LINE = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"


class LogTest(AftermathCase):
    def log(self, run, name="log"):
        with open(run.path(name), encoding="utf-8") as file:
            return file.read()

    def logged(self, run):
        until(lambda: os.path.exists(run.path("log")) and self.log(run), "line in the log")
        return self.log(run)

    def test_log_stderr(self):
        run = self.play(STUCK, options="log=stderr")
        run.wait_for_text(rf"\nimpasse: {LINE} info: reported: .*DEADLOCK.*\n")

    def test_log_file(self):
        run = self.play(f"umask 777 {STUCK}", options="log=TMP/log")
        self.assertRegex(self.logged(run), rf"^{LINE} \[{run.pid}\] info: reported: .*DEADLOCK.*\n$")
        self.assertEqual(oct(os.stat(run.path("log")).st_mode & 0o7777), "0o600")

    def test_log_relative(self):
        self.logged(self.play(f"chdir / {STUCK}", options="log=log"))

    def test_log_turned_over(self):
        def prepare(run):
            run.make("log", "x" * (1 << 20))
            for i in (1, 2, 3):
                run.make(f"log.{i}", f"older {i}")

        run = self.play(STUCK, options="log=TMP/log", prepare=prepare)
        until(lambda: os.path.exists(run.path("log")) and "DEADLOCK" in self.log(run), "new log")
        self.assertEqual(self.log(run, "log.3"), "older 2")
        self.assertEqual(self.log(run, "log.2"), "older 1")
        self.assertEqual(len(self.log(run, "log.1")), 1 << 20)
        self.assertIn("DEADLOCK", self.log(run))
        self.assertFalse(os.path.exists(run.path("log.4")))

    def test_log_nowhere(self):
        run = self.play(f"misuse 0 {STUCK}", options="log=TMP/nowhere/log")
        self.reported(run, 2)
        run.wait_for_text("the log cannot be written")
        self.assertEqual(len(run.lines()), 1, run.lines())
        run.make("end")
        self.assertEqual(run.end(10), 0)

    def test_log_syslog_absent(self):
        if os.path.exists("/dev/log"):
            self.skipTest("there is a system log, which is none of our business")
        run = self.play(STUCK, options="log=syslog")
        self.reported(run)
        self.assertEqual(run.lines(), [])

    # ---- max_reports

    def untold(self, run):
        done = subprocess.run(
            [self.command, "dump", "--facts", "--json", str(run.pid)],
            capture_output=True,
            check=True,
            timeout=20,
        )
        return json.loads(done.stdout)["dropped"]["findings_untold"]

    def test_one_report(self):
        run = self.play(f"misuse 0 misuse 1 misuse 2 {STUCK}", options="max_reports=1")
        self.reported(run)
        run.wait_for_text("max_reports is reached")
        until(lambda: self.untold(run) == 3, "three findings that were counted")
        self.assertEqual(len(run.report_files()), 2)

    def test_no_report(self):
        """As was wished: nothing is said of what is not told."""
        run = self.play(f"misuse 0 {STUCK}", options="max_reports=0 log=TMP/log")
        run.wait_until_it_says("stuck")
        time.sleep(LOOKS_SECONDS)
        self.assertEqual((run.report_files(), run.complaints()), ([], ""))
        self.assertFalse(os.path.exists(run.path("log")))

    def find(self, steps, options, rules=""):
        """Found when stacks can be walked already: they decide about rules and fingerprints."""
        run = self.play(
            f"busy 0 say begun await TMP/begin {steps} say found await TMP/go exit 3",
            options=options,
            prepare=lambda run: run.make("rules", rules),
        )
        run.wait_until_it_says("begun")
        time.sleep(LOOKS_SECONDS)
        run.make("begin")
        run.wait_until_it_says("found")
        return run

    def ends_with(self, steps, options, rules=""):
        """The status of a program whose own is 3, and how many reports there were."""
        run = self.find(steps, f"exit_code=9 {options}", rules)
        time.sleep(LOOKS_SECONDS)
        reports = len(run.report_files()) // 2
        run.make("go")
        return run.end(10), reports

    def test_no_report_counts(self):
        for steps in ("misuse 0", "deadlock"):
            self.assertEqual(self.ends_with(steps, "max_reports=0"), (9, 0), steps)
        self.assertEqual(self.ends_with("busy 0", "max_reports=0"), (3, 0))

    def test_no_report_of_what_does_not_count(self):
        options = "max_reports=0 suppressions=TMP/rules"
        for rule in ("kind=misuse module=aftermath_*", "function=*unlock_what*", "file=*/locks.cc"):
            self.assertEqual(self.ends_with("misuse 0", options, f"{rule}\n"), (3, 0), rule)
        self.assertEqual(self.ends_with("misuse 0", options, "function=nobody\n"), (9, 0))

    def test_report_that_does_not_count_and_one_that_is_not_written(self):
        """The first is known; the second is beyond the limit, and new."""
        first = self.find("misuse 0", "")
        known = subprocess.run(
            [self.command, "baseline", self.reported(first)[0].path],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        options = "max_reports=1 baseline=TMP/rules"
        self.assertEqual(self.ends_with("misuse 0", options, known), (3, 1))
        self.assertEqual(self.ends_with("misuse 0 misuse 1", options, known), (9, 1))
        options = "max_reports=0 baseline=TMP/rules"
        self.assertEqual(self.ends_with("misuse 0", options, known), (3, 0))

    # ---- dump_signal

    def assert_dumps(self, name, number):
        run = self.play("busy 0 say ready await TMP/end exit 4", options=f"dump_signal={name}")
        run.wait_until_it_says("ready")
        os.kill(run.pid, number)
        report = self.reported(run)[0]
        self.assertEqual(report.finding["kind"], "dump")
        run.make("end")
        self.assertEqual(run.end(10), 4, "it is no finding, and disturbs nothing")

    def test_dump_signal(self):
        self.assert_dumps("USR2", signal.SIGUSR2)

    def test_dump_signal_by_number(self):
        self.assert_dumps(str(signal.SIGRTMIN + 2), signal.SIGRTMIN + 2)

    def test_dump_signal_wrong(self):
        for wrong in ("NOPE", "SEGV", "9", "11", "65", "-1", "12x"):
            run = self.play("exit 4", options=f"dump_signal={wrong}")
            self.assertEqual(run.end(10), 4)
            (line,) = run.complaints().splitlines()
            self.assertIn(f"impasse: wrong value '{wrong}' for option 'dump_signal'; expected", line)
