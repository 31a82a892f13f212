"""A finding that becomes more than it was when it was told: rules, baseline, exit status and last
words go by what it is at the end."""

import contextlib
import json
import os
import signal
import subprocess

from aftermath_case import AftermathCase
from sample_run import Report, is_complete, until

PATIENCE_SECONDS = 20
# A thread ends with a lock in its hands; then somebody wants it.
LEFT = "leave-lock await TMP/more want-left-lock await TMP/end exit 4"
# Two wait for each other's signal; then the last thread of the process waits for one of them.
LOST = "lose-ball await TMP/more look-on 4"
# A thread waits for a lock for long; then its holder comes to want one of the waiter's.
CIRCLE = "wait-long await TMP/more close-circle await TMP/end exit 4"
# Two are stuck; then a third one queues behind them.
QUEUE = "wait-long close-circle await TMP/more come-late await TMP/end exit 4"
COUNTED = "exit_code=9 log=TMP/log"


class GrowingTest(AftermathCase):
    def grow(self, steps, *, options="", rules="", known=""):
        def prepare(run):
            if rules:
                run.make("rules", rules)
            if known:
                run.make("known.json", known)

        if rules:
            options += " suppressions=TMP/rules"
        if known:
            options += " baseline=TMP/known.json"
        return self.play(steps, options=f"{COUNTED} {options}", prepare=prepare)

    def log(self, run):
        with contextlib.suppress(FileNotFoundError):
            with open(run.path("log"), encoding="utf-8") as file:
                return file.read()
        return ""

    def wait_for_log(self, run, words):
        until(lambda: words in self.log(run), f"{words!r} in the log: {self.log(run)}")

    def become(self, run, kind, number=1):
        """The report, once it is of this kind and has names."""
        path = os.path.join(run.reports, f"impasse.{run.pid}.{number}.json")

        def look():
            with contextlib.suppress(FileNotFoundError, json.JSONDecodeError):
                report = Report(path)
                return report if report.finding["kind"] == kind and is_complete(report) else None
            return None

        report = until(look, f"{kind} in {path}; {self.log(run)}")
        self.assert_whole(report.path)
        self.assert_whole(report.text_path)
        self.assertTrue(report.json["names"]["looked_up"])
        return report

    def end(self, run, status, *, by_signal=False):
        """What it says at its end: after the lines of findings."""
        if by_signal:
            os.kill(run.pid, signal.SIGUSR1)
        else:
            run.make("end")
        self.assertEqual(run.end(PATIENCE_SECONDS), status, self.log(run))
        return run.complaints().splitlines()

    def announced(self, lines, *patterns):
        """One line for each; what was said after them."""
        self.assertGreaterEqual(len(lines), len(patterns), lines)
        for line, pattern in zip(lines, patterns):
            self.assertRegex(line, rf"^impasse: {pattern}$")
        return lines[len(patterns):]

    def baseline_of(self, report):
        made = subprocess.run(
            [self.command, "baseline", report.path], capture_output=True, text=True, check=True
        )
        self.assertEqual(made.stderr, "")
        return made.stdout

    def assert_noted(self, report, words):
        self.assertIn(words, json.dumps(report.json["notes"]))

    # ---- without rules

    def test_grown_counts_as_what_it_is(self):
        run = self.grow(LEFT)
        self.become(run, "misuse")
        run.make("more")
        self.become(run, "orphaned_lock")
        self.assertEqual(
            self.announced(self.end(run, 9), "MISUSE.*1.txt"),
            [f"impasse: 1 orphaned lock; reports in {run.reports}"],
        )

    def test_grown_to_all_asleep_counts_once(self):
        run = self.grow(LOST)
        self.become(run, "stuck_condition")
        run.make("more")
        self.become(run, "all_asleep")
        self.assertEqual(
            self.announced(self.end(run, 9, by_signal=True), "STUCK CONDITION.*1.txt"),
            [f"impasse: 1 process asleep; reports in {run.reports}"],
        )

    # ---- a rule for what it has become

    def assert_withdrawn(self, run, report, rule, lines, was, now):
        place = run.path("rules")
        self.assert_noted(report, f"suppressed by rule {place}:1")
        self.wait_for_log(run, f"suppressed: a {report.finding['kind']}, by rule {place}:1\n")
        self.assertNotIn("told again", self.log(run))
        rest = self.announced(
            lines, f"{was}.*1.txt", rf"{now}.* \(suppressed by rule {place}:1\): .*1.txt"
        )
        self.assertEqual(
            rest,
            [
                "impasse: 1 suppressed",
                f"impasse: suppressed 1 by rule {place}:1 ({rule})",
                "impasse: of the suppressed 1 was told before a rule held; "
                f"reports in {run.reports}",
            ],
        )
        self.assertEqual(len(run.report_files()), 2)

    def test_grown_to_what_is_suppressed(self):
        """By a function that only the grown finding has; on_deadlock spares it as well."""
        rule = "kind=orphaned_lock function=*want_what_was_left*"
        run = self.grow(LEFT, rules=rule, options="on_deadlock=exit")
        self.become(run, "misuse")
        run.make("more")
        report = self.become(run, "orphaned_lock")
        self.wait_for_log(run, "suppressed: ")
        lines = self.end(run, 4)
        self.assert_withdrawn(run, report, rule, lines, "MISUSE", "ORPHANED LOCK")

    def test_grown_to_what_is_suppressed_at_sight(self):
        """By what is known before names are."""
        rule = "kind=orphaned_lock module=aftermath_*"
        run = self.grow(LEFT, rules=rule, options="on_deadlock=exit")
        self.become(run, "misuse")
        run.make("more")
        report = self.become(run, "orphaned_lock")
        lines = self.end(run, 4)
        self.assert_withdrawn(run, report, rule, lines, "MISUSE", "ORPHANED LOCK")

    def test_grown_to_all_asleep_that_is_suppressed(self):
        rule = "kind=all_asleep function=*look_on_for_ever*"
        run = self.grow(LOST, rules=rule)
        self.become(run, "stuck_condition")
        run.make("more")
        report = self.become(run, "all_asleep")
        self.wait_for_log(run, "suppressed: ")
        lines = self.end(run, 4, by_signal=True)
        self.assert_withdrawn(run, report, rule, lines, "STUCK CONDITION", "ALL ASLEEP")

    def test_grown_by_a_thread_that_a_rule_names(self):
        """The same kind, and one more in the queue."""
        rule = "kind=deadlock function=*want_front_too*"
        run = self.grow(QUEUE, rules=rule, options="wait=500ms")
        until(lambda: "reported: DEADLOCK" in self.log(run), "a deadlock that is told")
        run.make("more")
        self.wait_for_log(run, "suppressed: ")
        report = self.become(run, "deadlock")
        self.assertEqual(len(report.crowd), 1)
        lines = self.end(run, 4)
        self.assert_withdrawn(run, report, rule, lines, "DEADLOCK", "DEADLOCK")

    # ---- a rule for what it was

    def test_grown_from_what_is_suppressed(self):
        run = self.grow(LEFT, rules="kind=misuse module=aftermath_*")
        self.wait_for_log(run, "suppressed: a misuse")
        self.assertEqual(run.report_files(), [])
        run.make("more")
        self.become(run, "orphaned_lock")
        self.assertEqual(
            self.announced(self.end(run, 9), "ORPHANED LOCK.*1.txt"),
            [f"impasse: 1 orphaned lock; reports in {run.reports}"],
        )

    def test_grown_from_what_is_suppressed_while_another_rule_is_open(self):
        rules = "kind=stuck_condition function=*await_ball*\nkind=all_asleep function=nobody\n"
        run = self.grow(LOST, rules=rules)
        self.wait_for_log(run, "suppressed: a stuck_condition")
        self.assertEqual(run.report_files(), [])
        run.make("more")
        self.become(run, "all_asleep")
        self.wait_for_log(run, "reported: ALL ASLEEP")
        self.assertEqual(
            self.announced(self.end(run, 9, by_signal=True), "ALL ASLEEP.*1.txt"),
            [
                f"impasse: 1 process asleep; reports in {run.reports}",
                f"impasse: unused rule {run.path('rules')}:2 (kind=all_asleep function=nobody)",
            ],
        )

    def test_grown_and_suppressed_all_along(self):
        rule = "module=aftermath_*"
        run = self.grow(LEFT, rules=rule, options="on_deadlock=exit")
        self.wait_for_log(run, "suppressed: a misuse")
        run.make("more")
        self.wait_for_log(run, "suppressed: a orphaned_lock")
        self.assertEqual(
            self.end(run, 4),
            [
                "impasse: 1 suppressed",
                f"impasse: suppressed 1 by rule {run.path('rules')}:1 ({rule})",
            ],
        )
        self.assertEqual(run.report_files(), [])

    def test_grown_while_no_rule_holds(self):
        """It is asked about, and told on as ever; what ends the process does."""
        run = self.grow(LEFT, rules="function=nobody", options="on_deadlock=exit")
        self.become(run, "misuse")
        run.make("more")
        self.assertEqual(run.end(PATIENCE_SECONDS), 9)
        self.become(run, "orphaned_lock")
        self.assertIn("told again: ORPHANED LOCK", self.log(run))
        self.assertEqual(
            self.announced(run.complaints().splitlines(), "MISUSE.*1.txt"),
            [
                f"impasse: 1 orphaned lock; reports in {run.reports}",
                f"impasse: unused rule {run.path('rules')}:1 (function=nobody)",
            ],
        )

    def test_long_wait_that_becomes_a_deadlock(self):
        """Two findings: what silences the wait is no rule for the circle."""
        rule = "kind=long_wait module=aftermath_*"
        run = self.grow(CIRCLE, rules=rule, options="wait=300ms")
        self.wait_for_log(run, "suppressed: a long_wait")
        run.make("more")
        self.become(run, "deadlock")
        self.assertEqual(
            self.announced(self.end(run, 9), "DEADLOCK.*1.txt")[0],
            f"impasse: 1 deadlock; 1 suppressed; reports in {run.reports}",
        )

    # ---- the baseline

    def both_forms(self, steps, was, now):
        """Baselines of the first form and of the last one."""
        run = self.grow(steps)
        first = self.baseline_of(self.become(run, was))
        run.make("more")
        last = self.baseline_of(self.become(run, now))
        self.assertNotEqual(first, last)
        return first, last

    def test_grown_to_what_is_known(self):
        """The baseline that is made of the reports holds for the next run."""
        _, known = self.both_forms(LEFT, "misuse", "orphaned_lock")
        run = self.grow(LEFT, known=known)
        self.become(run, "misuse")
        run.make("more")
        report = self.become(run, "orphaned_lock")
        self.assert_noted(report, "known: in the baseline")
        self.assertEqual(
            self.announced(self.end(run, 4), "MISUSE.*1.txt", r"ORPHANED.* \(known\): .*1.txt"),
            [f"impasse: 1 orphaned lock; 1 known; reports in {run.reports}"],
        )

    def test_grown_from_what_is_known(self):
        known, _ = self.both_forms(LOST, "stuck_condition", "all_asleep")
        run = self.grow(LOST, known=known)
        self.become(run, "stuck_condition")
        run.make("more")
        self.become(run, "all_asleep")
        self.assertEqual(
            self.announced(
                self.end(run, 9, by_signal=True),
                r"STUCK.* \(known\): .*1.txt",
                r"ALL.*[^)]: .*1.txt",
            ),
            [f"impasse: 1 process asleep; reports in {run.reports}"],
        )
