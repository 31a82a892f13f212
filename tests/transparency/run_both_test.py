#!/usr/bin/python3
"""Proves that run_both.py fails when it must: a preloaded object that spoils one thing at a time."""

import os
import pathlib
import subprocess
import sys
import unittest

RUNNER = pathlib.Path(__file__).with_name("run_both.py")
SABOTAGE, DRIVER = "", ""


def run_both(way, *options, preload=None):
    environment = dict(os.environ)
    environment.pop("SABOTAGE", None)
    if way:
        environment["SABOTAGE"] = way
    done = subprocess.run(
        [sys.executable, RUNNER, "--preload", preload or SABOTAGE, "--timeout", "2",
         "--stragglers", "0.5", *options, DRIVER, "spin"],
        capture_output=True, text=True, env=environment, check=False,
    )
    return done.returncode, done.stdout


class Runner(unittest.TestCase):
    def expect_notice(self, way, words, *options, **more):
        status, said = run_both(way, *options, **more)
        self.assertEqual(status, 1, said)
        self.assertIn(words, said)

    def test_an_honest_object_passes(self):
        status, said = run_both(None)
        self.assertEqual(status, 0, said)

    def test_another_result(self):
        self.expect_notice("result", "trylock -> EDEADLK")

    def test_errno_touched(self):
        self.expect_notice("errno", "trylock -> EBUSY, EIO")

    def test_a_line_on_stderr(self):
        self.expect_notice("stderr", "+something")

    def test_a_finding_where_nothing_is_wrong(self):
        self.expect_notice("finding", "+impasse: something")

    def test_a_finding_where_something_is_wrong(self):
        status, said = run_both("finding", "--findings")
        self.assertEqual(status, 0, said)

    def test_another_line_is_no_finding(self):
        self.expect_notice("stderr", "+something", "--findings")

    def test_a_file_in_the_working_directory(self):
        self.expect_notice("file", "files left: bare [], preloaded ['impasse.1.1.txt']")

    def test_another_status(self):
        self.expect_notice("status", "exit 9")

    def test_a_signal(self):
        self.expect_notice("signal", "SIGABRT")

    def test_no_end(self):
        self.expect_notice("hang", "no end")

    def test_a_process_left_behind(self):
        self.expect_notice("process", "left the process")

    def test_a_ledger_left_behind(self):
        self.expect_notice("ledger", "/dev/shm/impasse.")

    def test_not_preloaded_at_all(self):
        self.expect_notice(None, "is not preloaded", preload="/nowhere/libsabotage.so")

    def test_a_bare_run_that_is_not_as_promised(self):
        self.expect_notice(None, "expected signal SIGABRT", "--expect", "signal SIGABRT")


if __name__ == "__main__":
    SABOTAGE, DRIVER = sys.argv[1:3]
    unittest.main(argv=sys.argv[:1])
