#!/usr/bin/python3
"""order_findings.py --samples DIR --preload P --command C --schema J [NAME ...]: judged rightly?

Each NAME is a case of samples/order_cases: one that may hang one day must be told of, exactly once,
while it runs; one that cannot must not. DOUBT_NAME is a case with all that is doubtful asked for.
RULE_NAME and BASELINE_NAME are of order_rules.py. Without a NAME all run; --registered compares the
names with those that are given.
"""

import argparse
import os
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", folder) for folder in ("findings", "facts")]

from expected_orders import ALARMS, DOUBTED_BY_DEFAULT, DOUBTS, OF_ONE_KIND, SILENT
from findings_case import FAR_AWAY, FindingsCase
from order_rules import EXIT_CODE, OrderRules
from order_run import OrderRun
from sample_run import Tools, until
from stage import all_tests, compare_registered

ELSEWHERE = 3  # exit status of a case whose memory did not come back
TRIES_FOR_AN_ADDRESS = 5
PROMPTLY_SECONDS = 2.0  # a tenth of it, on a machine with nothing else to do
LISTEN_SECONDS = 1.0  # a detector that says nothing until then has nothing to say


class OrderFindings(FindingsCase):
    def run_case(self, name, order):
        options = f"order={order} exit_code={EXIT_CODE} wait={FAR_AWAY}"
        if name in OF_ONE_KIND:
            options += f" order_classes={'on' if order == 'all' else 'off'}"
        run = OrderRun(self.tools, name, options=options)
        self.addCleanup(run.discard)
        run.wait_until_it_says("shown")
        return run

    # ---- the three kinds of cases

    def alarms(self, name):
        run = self.run_case(name, "on")
        report = self.one_order(run, ALARMS[name])
        self.assertEqual(report.finding["doubt"], "none")
        self.assertEqual(run.curtain(30), EXIT_CODE, run.complaints())
        self.assertEqual(len(run.wait_for_reports(1)), 1, run.report_files())

    def doubts(self, name, order):
        run = self.run_case(name, order)
        doubt, orders = DOUBTS[name]
        report = self.one_order(run, orders)
        self.assertEqual(report.finding["doubt"], doubt)
        self.assertEqual(run.curtain(30), 0, "what is doubtful is no failure")

    def is_silent(self, name):
        # Memory that is to be used again may have gone to somebody else meanwhile.
        for _ in range(TRIES_FOR_AN_ADDRESS):
            run = self.run_case(name, "on")
            time.sleep(LISTEN_SECONDS)
            self.assertIsNone(run.process.poll(), run.complaints())
            status = run.curtain(30)
            if status != ELSEWHERE:
                break
        self.assertEqual(status, 0, run.complaints())
        self.assertEqual(run.report_files(), [], run.complaints())
        self.assertEqual(run.complaints(), "")

    # ---- what a report says

    def one_order(self, run, orders):
        """The one and only report, made while the program runs, of just this circle."""
        shown = time.monotonic()
        until(run.report_files, f"report of {run.command}; it said {run.complaints()!r}", 10)
        self.assertLess(time.monotonic() - shown, PROMPTLY_SECONDS)
        run.wait_for_reports(1)
        time.sleep(LISTEN_SECONDS)
        self.assertIsNone(run.process.poll(), "it is told before the end")
        (report,) = run.wait_for_reports(1)
        self.assertEqual((report.number, report.finding["kind"]), (1, "lock_order"))
        self.assert_sound(run, report)
        self.assert_said(run, report)
        self.assert_orders(report, orders)
        return report

    def assert_text(self, report):
        text = report.text()
        self.assertIn(f"[{report.pid}]", text.split("\n", 1)[0])
        for order in report.finding["orders"]:
            self.assertIn(f'"{order["thread_name"]}"', text)

    def assert_orders(self, report, wanted):
        told = report.finding["orders"]
        self.assertEqual(report.finding["cycle"], [], "nobody waits")
        self.assertEqual(len(told), len(wanted), [self.words(report, one) for one in told])
        for one, following in zip(told, told[1:] + told[:1]):
            self.assertTrue(self.leads_on(report, one, following), "the circle is not closed")
        starts = range(len(wanted))
        fitting = [i for i in starts if self.fits(report, told, wanted[i:] + wanted[:i])]
        told_words = [self.words(report, one) for one in told]
        self.assertTrue(fitting, f"told: {told_words}; wanted: {wanted}")
        for order, expected in zip(told, wanted[fitting[0] :] + wanted[: fitting[0]]):
            self.assert_site(order["from_site"], expected.held_in, f"{expected} held")
            self.assert_site(order["to_site"], expected.to_in, f"{expected} asked")
            self.assertEqual(order["again"], expected.again, expected)
            self.assertGreater(len(order["stack"]["frames"]), 0, expected)
        for lock in report.locks:
            self.assert_libcs_word(report, lock)
        threads = [order["tid"] for order in told]
        self.assertEqual(len(set(threads)), len(threads), "a thread stands in one place only")

    def assert_libcs_word(self, report, lock):
        """Of a lock that may be gone, on a stack or on the heap, its memory says nothing."""
        known = [0, None] + [thread["tid"] for thread in report.threads]
        self.assertIn(lock["owner_word"], known, lock)
        self.assertNotIn("robust", lock["variety"], "no sample has one")

    def leads_on(self, report, order, following):
        """From lock to lock; among objects of one kind from one to another of the same making."""
        if report.finding["doubt"] == "class":
            return report.locks[order["to"]]["kind"] == report.locks[following["from"]]["kind"]
        return order["to"] == following["from"]

    def fits(self, report, told, wanted):
        return all(
            same(order["thread_name"], expected.thread)
            and same(plain(report.lock_name(order["from"])), expected.held)
            and same(plain(report.lock_name(order["to"])), expected.to)
            and (order["from_mode"], order["to_mode"]) == (expected.held_mode, expected.to_mode)
            for order, expected in zip(told, wanted)
        )

    def words(self, report, order):
        names = [plain(report.lock_name(order[end])) for end in ("from", "to")]
        return (order["thread_name"], *names, order["from_mode"], order["to_mode"])

    # ---- all of them, and of all of them

    def test_table(self):
        """What the program says is expected is what is tested."""
        program = os.path.join(self.tools.samples, "order_cases")
        listed = subprocess.run([program, "--list"], capture_output=True, text=True, check=True)
        told = {}
        for line in listed.stdout.splitlines():
            name, expected, _ = line.split("\t")
            told.setdefault(expected, set()).add(name)
        low = set(DOUBTS) - SILENT
        self.assertEqual(told, {"alarm": set(ALARMS), "silent": SILENT, "low": low})

    def test_fingerprint(self):
        """The same from run to run, another for another circle."""
        told = []
        for name in ("abba", "abba", "three_circle"):
            run = self.run_case(name, "on")
            told.append(self.one_order(run, ALARMS[name]).finding["fingerprint"])
        self.assertEqual(told[0], told[1])
        self.assertNotEqual(told[0], told[2])

    def test_order_off(self):
        run = self.run_case("abba", "off")
        time.sleep(LISTEN_SECONDS)
        self.assertEqual((run.curtain(30), run.report_files()), (0, []))


def plain(name):
    return name.split("+")[0].split("::")[-1]


def same(told, wanted):
    return wanted is None or told == wanted


for case in ALARMS:
    setattr(OrderFindings, f"test_{case}", lambda self, name=case: self.alarms(name))
for case in sorted(SILENT):
    setattr(OrderFindings, f"test_{case}", lambda self, name=case: self.is_silent(name))
for case in DOUBTS:
    setattr(OrderFindings, f"test_doubt_{case}", lambda self, name=case: self.doubts(name, "all"))
for case in sorted(DOUBTED_BY_DEFAULT):
    setattr(OrderFindings, f"test_{case}", lambda self, name=case: self.doubts(name, "on"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--samples", required=True)
    parser.add_argument("--preload", required=True)
    parser.add_argument("--command", default="", help="impasse itself, for rules and baselines")
    parser.add_argument("--schema", default="")
    parser.add_argument("--registered", action="store_true")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()
    OrderRules.command = os.path.abspath(arguments.command)
    tests = all_tests([sys.modules[__name__]])
    if arguments.list:
        print("\n".join(tests))
        return 0
    if arguments.registered:
        return compare_registered(tests, arguments.names)
    paths = (arguments.samples, arguments.preload, arguments.schema)
    samples, preload, schema = (os.path.abspath(path) if path else "" for path in paths)
    FindingsCase.tools = Tools(samples, preload, schema=schema)
    suite = unittest.TestSuite(tests[name] for name in arguments.names or tests)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(main())
