"""What is not wanted of lock orders: rules that silence them, baselines of those that are known."""

import os
import shutil
import subprocess
import tempfile

from findings_case import FAR_AWAY, FindingsCase
from order_run import OrderRun
from sample_run import until

EXIT_CODE = 9


class OrderRules(FindingsCase):
    command = ""  # of impasse, its path

    def setUp(self):
        super().setUp()
        self.folder = tempfile.mkdtemp(prefix="impasse-orders.")
        self.addCleanup(shutil.rmtree, self.folder)
        self.log = os.path.join(self.folder, "log")

    def written(self, name, text):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        return path

    def run_case(self, name, more=""):
        options = f"exit_code={EXIT_CODE} wait={FAR_AWAY} log={self.log} {more}"
        run = OrderRun(self.tools, name, options=options)
        self.addCleanup(run.discard)
        run.wait_until_it_says("shown")
        return run

    def said_in_log(self):
        if not os.path.exists(self.log):
            return ""
        with open(self.log, encoding="utf-8") as file:
            return file.read()

    def a_report(self, name, more=""):
        run = self.run_case(name, more)
        (report,) = run.wait_for_reports(1)
        self.assertEqual(report.finding["kind"], "lock_order")
        return run, report

    def impasse(self, *arguments):
        done = subprocess.run(
            [self.command, *arguments], capture_output=True, text=True, check=True, timeout=60
        )
        self.assertEqual(done.stderr, "")
        return done.stdout

    def is_silenced(self, name, rules, line=1):
        """No report and no failure; the log and the end of the process say which rule it was."""
        path = self.written("rules", rules)
        run = self.run_case(name, f"suppressions={path}")
        words = f"suppressed: a lock_order, by rule {path}:{line}\n"
        until(lambda: words in self.said_in_log(), f"{words!r} in the log")
        self.assertEqual(run.complaints(), "")
        self.assertEqual(run.curtain(30), 0, run.complaints())
        self.assertEqual(run.report_files(), [])
        said = run.complaints().splitlines()
        self.assertEqual(said[0], "impasse: 1 suppressed")
        by_rule = [words for words in said if f"suppressed 1 by rule {path}:{line} (" in words]
        self.assertEqual(len(by_rule), 1, said)
        return [words for words in said[1:] if words not in by_rule]

    # ---- rules

    def test_rule_by_function(self):
        unused = self.is_silenced(
            "raft_monitor",
            "# not now\nkind=lock_order function=*::startElection  \"its turn comes\"\n",
            line=2,
        )
        self.assertEqual(unused, [])

    def test_rule_by_function_of_the_first_lock(self):
        """The one that only the stack of the order has, and not its last call."""
        self.is_silenced("raft_monitor", "function=*::handleMessage function=*::recordHeartbeat\n")

    def test_rule_by_file(self):
        rules = "file=nowhere.cc\nkind=lock_order file=*/circles.cc\n"
        unused = self.is_silenced("raft_monitor", rules, line=2)
        self.assertEqual(len(unused), 1, unused)
        self.assertIn("unused rule", unused[0])

    def test_rule_by_module_of_plugin(self):
        self.is_silenced("plugin", "kind=lock_order module=order_cases_plugin.so\n")

    def test_rule_by_fingerprint(self):
        """Of another run, in which everything lay somewhere else."""
        _, report = self.a_report("session_inversion")
        rule = f"fingerprint={report.finding['fingerprint']}\n"
        self.is_silenced("session_inversion", rule)

    def test_rule_of_show(self):
        _, report = self.a_report("raft_monitor")
        rule = self.impasse("show", "--suppression", report.path)
        self.assertIn("\nkind=lock_order function=", rule)
        self.is_silenced("raft_monitor", rule, 1 + rule[: rule.index("\nkind=")].count("\n") + 1)

    def test_rule_for_something_else(self):
        """Of another kind, of another function, for another thread's doings: it is told."""
        rules = (
            "kind=deadlock function=*::startElection\n"
            "kind=lock_order function=*::openSession\n"
            "function=order_cases::Stage::shown\n"
        )
        run, report = self.a_report("raft_monitor", f"suppressions={self.written('rules', rules)}")
        self.assertTrue(report.json["names"]["looked_up"])
        self.assertEqual(run.curtain(30), EXIT_CODE)
        said = run.complaints()
        self.assertIn("impasse: 1 lock order; reports in", said)
        self.assertEqual(said.count("unused rule"), 3, said)

    def test_rule_for_one_of_two(self):
        """What is like it, elsewhere, is told."""
        _, report = self.a_report("abba")
        rule = self.written("rules", f"fingerprint={report.finding['fingerprint']}\n")
        run, _ = self.a_report("three_circle", f"suppressions={rule}")
        self.assertEqual(run.curtain(30), EXIT_CODE)

    # ---- baselines

    def baseline(self, *names):
        paths = [self.a_report(name)[1].path for name in names]
        return self.written("known.json", self.impasse("baseline", *paths))

    def test_baseline_knows_it(self):
        known = self.baseline("raft_monitor", "three_circle")
        run, report = self.a_report("raft_monitor", f"baseline={known}")
        self.assertIn("known: in the baseline", " ".join(report.json["notes"]))
        self.assertIn("(known): ", run.complaints())
        self.assertEqual(run.curtain(30), 0, run.complaints())
        self.assertIn("impasse: 1 lock order; 1 known; reports in", run.complaints())

    def test_baseline_does_not_know_it(self):
        run, report = self.a_report("raft_monitor", f"baseline={self.baseline('abba')}")
        self.assertNotIn("known", " ".join(report.json["notes"]))
        self.assertEqual(run.curtain(30), EXIT_CODE)

    # ---- what is doubtful

    def test_doubtful_counts_for_nothing(self):
        run, report = self.a_report("timed_inner")
        self.assertEqual(report.finding["doubt"], "timed")
        self.assertEqual(run.curtain(30), 0, run.complaints())
        self.assertIn("impasse: 1 lock order (1 low); reports in", run.complaints())
