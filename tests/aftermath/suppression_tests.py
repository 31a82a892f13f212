"""Rules that silence findings, and the baseline of those that are known."""

import dataclasses
import json
import os
import subprocess

from aftermath_case import ActorRun, AftermathCase
from sample_run import until

PATIENCE_SECONDS = 20
STUCK = "deadlock say stuck await TMP/end"
RULES = "suppressions=TMP/rules log=TMP/log"


def with_rules(text):
    return lambda run: run.make("rules", text)


class SuppressionTest(AftermathCase):
    def log(self, run):
        if not os.path.exists(run.path("log")):
            return ""
        with open(run.path("log"), encoding="utf-8") as file:
            return file.read()

    def wait_for_log(self, run, words):
        until(lambda: words in self.log(run), f"{words!r} in the log")

    def sample(self, name, rules):
        run = ActorRun(
            dataclasses.replace(self.tools, stress=os.path.join(self.tools.samples, name)),
            "",
            options=RULES,
            variables={},
            wrap=(),
            stderr=None,
            limits=None,
            prepare=with_rules(rules),
        )
        self.addCleanup(run.discard)
        return run

    def assert_suppressed(self, run, kind, line):
        self.wait_for_log(run, f"suppressed: a {kind}, by rule {run.path('rules')}:{line}\n")
        self.assertEqual(run.report_files(), [])
        self.assertEqual(run.complaints(), "")
        self.assertNotIn("reported:", self.log(run))

    def said_at_end(self, run, status):
        self.assertEqual(run.end(PATIENCE_SECONDS), status, run.complaints())
        return run.complaints().splitlines()

    # ---- what is silenced

    def test_suppressed_by_function(self):
        run = self.sample("abba", "# known for years\nkind=deadlock function=transfer_money\n")
        self.assert_suppressed(run, "deadlock", 2)

    def test_suppressed_by_file_and_method(self):
        run = self.sample("raft_monitor", "file=*/raft_monitor.cc function=RaftNode::check*\n")
        self.assert_suppressed(run, "deadlock", 1)

    def test_suppressed_by_module(self):
        run = self.play(STUCK, options=RULES, prepare=with_rules("module=aftermath_*\n"))
        self.assert_suppressed(run, "deadlock", 1)

    def test_bystanders_match_nothing(self):
        run = self.sample("abba", "function=run_stuck\nfunction=main\n")
        self.assertEqual(self.reported(run)[0].finding["kind"], "deadlock")
        run.wait_for_text("DEADLOCK")
        self.assertNotIn("suppressed", self.log(run))

    def test_another_kind_is_told(self):
        run = self.play(
            "misuse 0 await TMP/go exit 4",
            options=f"{RULES} exit_code=9",
            prepare=with_rules("kind=deadlock function=*unlock_what*\n"),
        )
        self.reported(run)
        run.make("go")
        lines = self.said_at_end(run, 9)
        self.assertEqual(lines[1], f"impasse: 1 broken rule; reports in {run.reports}")
        self.assertEqual(
            lines[2],
            f"impasse: unused rule {run.path('rules')}:1 (kind=deadlock function=*unlock_what*)",
        )
        self.assertEqual(len(lines), 3, lines)

    def test_suppressed_counts_for_nothing(self):
        """No report, no line, no status, no hook; at the end the rule that did it, and the others."""
        rules = "function=*unlock_what* \"ours to repair\"\nfunction=nobody::*\n"
        run = self.play(
            "misuse 0 misuse 1 await TMP/go exit 4",
            options=f"{RULES} exit_code=9 on_finding=/bin/false",
            prepare=with_rules(rules),
        )
        until(lambda: self.log(run).count("suppressed: a misuse") == 2, "two that are suppressed")
        self.assertEqual(run.complaints(), "")
        run.make("go")
        place = run.path("rules")
        self.assertEqual(
            self.said_at_end(run, 4),
            [
                "impasse: 2 suppressed",
                f'impasse: suppressed 2 by rule {place}:1 (function=*unlock_what* "ours to repair")',
                f"impasse: unused rule {place}:2 (function=nobody::*)",
            ],
        )
        self.assertEqual(run.report_files(), [])

    def test_on_deadlock_spares_what_is_suppressed(self):
        run = self.play(
            f"{STUCK} exit 4",
            options=f"{RULES} on_deadlock=exit",
            prepare=with_rules("function=*hold_and_want*\n"),
        )
        self.wait_for_log(run, "suppressed: a deadlock")
        run.make("end")
        self.assertEqual(run.end(PATIENCE_SECONDS), 4)

    def test_suppressed_by_fingerprint(self):
        first = self.play(STUCK)
        fingerprint = self.reported(first)[0].finding["fingerprint"]
        run = self.play(STUCK, options=RULES, prepare=with_rules(f"fingerprint={fingerprint}\n"))
        self.assert_suppressed(run, "deadlock", 1)

    def test_rule_of_show_silences(self):
        first = self.play(STUCK)
        rule = subprocess.run(
            [self.command, "show", "--suppression", self.reported(first)[0].path],
            capture_output=True,
            text=True,
            check=True,
            timeout=PATIENCE_SECONDS,
        ).stdout
        self.assertIn("kind=deadlock function=hold_and_want", rule)
        run = self.play(STUCK, options=RULES, prepare=with_rules(rule))
        self.assert_suppressed(run, "deadlock", 2)

    def test_what_rules_let_through_is_told_in_full(self):
        """Held back until names are known; then all happens as ever."""
        rules = with_rules("function=nobody\n")
        run = self.play(f"misuse 0 {STUCK}", options=RULES, prepare=rules)
        kinds = {report.finding["kind"] for report in self.reported(run, 2)}
        self.assertEqual(kinds, {"misuse", "deadlock"})
        for report in self.reported(run, 2):
            self.assertTrue(report.json["names"]["looked_up"])
        run.wait_for_text("MISUSE")
        run.wait_for_text("DEADLOCK")

    # ---- files that are not as they should be

    def test_rules_too_broad(self):
        rules = "function=*mutex*\nfunction=*\nkind=deadlock\nmodule=libc.so*\nfuncton=x\n"
        run = self.play(STUCK, options=RULES, prepare=with_rules(rules))
        self.reported(run)
        self.assertEqual(len(run.lines()), 5, run.lines())
        for number, line in enumerate(run.lines(), 1):
            self.assertTrue(line.startswith(f"impasse: {run.path('rules')}: line {number}: "), line)
        self.assertIn("'*mutex*' takes in 'pthread_mutex_lock'", run.lines()[0])
        self.assertIn("it names no place", run.lines()[2])
        self.assertIn("'functon' is no condition", run.lines()[4])

    def test_rules_missing(self):
        for name, trouble in (("nowhere/rules", "No such file or directory"), ("reports", "no regular file")):
            run = self.play(STUCK, options=f"suppressions=TMP/{name}")
            self.reported(run)
            (line,) = run.lines()
            self.assertRegex(line, rf"{name} cannot be read \(.*{trouble}\)")
            self.assertIn("nothing is suppressed", line)

    def test_children_say_nothing(self):
        run = self.play(
            "busy 0 fork 5 fork 0 exit 3", options=RULES, prepare=with_rules("function=nobody\n*\n")
        )
        lines = self.said_at_end(run, 3)
        self.assertEqual([line.split(" /")[0] for line in lines],
                         ["impasse:", "impasse: unused rule"], lines)

    def test_nothing_found_is_silent(self):
        run = self.play("busy 0 exit 3", options="exit_code=9")
        self.assertEqual(self.said_at_end(run, 3), [])

    # ---- the baseline

    def baseline_of(self, run):
        paths = [report.path for report in self.reported(run)]
        made = subprocess.run(
            [self.command, "baseline", *paths], capture_output=True, text=True, check=True
        )
        self.assertEqual(made.stderr, "")
        return made.stdout

    def test_baseline(self):
        first = self.play("misuse 0 await TMP/go exit 4", options="exit_code=9")
        known = self.baseline_of(first)
        first.make("go")
        self.assertEqual(first.end(PATIENCE_SECONDS), 9)

        def prepare(run):
            run.make("known.json", known)

        options = "exit_code=9 baseline=TMP/known.json"
        run = self.play("misuse 0 await TMP/go exit 4", options=options, prepare=prepare)
        report = self.reported(run)[0]
        self.assertIn("known: in the baseline", json.dumps(report.json["notes"]))
        run.wait_for_text(r"MISUSE.*\(known\): ")
        run.make("go")
        self.assertEqual(
            self.said_at_end(run, 4)[1:],
            [f"impasse: 1 broken rule; 1 known; reports in {run.reports}"],
        )

        run = self.play("misuse 0 misuse 1 await TMP/go exit 4", options=options, prepare=prepare)
        self.reported(run, 2)
        run.make("go")
        self.assertEqual(run.end(PATIENCE_SECONDS), 9, "one of the two is new")

    def test_baseline_damaged(self):
        run = self.play(
            "misuse 0 await TMP/go exit 4",
            options="exit_code=9 baseline=TMP/known.json",
            prepare=lambda run: run.make("known.json", '{"schema": "impasse-baseline/1", "findi'),
        )
        self.reported(run)
        self.assertEqual(len(run.lines()), 1, run.lines())
        self.assertIn("known.json cannot be used (it is no JSON", run.lines()[0])
        run.make("go")
        self.assertEqual(run.end(PATIENCE_SECONDS), 9)
